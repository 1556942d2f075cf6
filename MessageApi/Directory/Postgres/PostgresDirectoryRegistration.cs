using Microsoft.Extensions.Options;
using Npgsql;

namespace WhatsAspire.MessageApi.Directory.Postgres;

/// <summary>Chooses PostgreSQL for the directory.</summary>
public static class PostgresDirectoryRegistration
{
    /// <summary>Keeps the directory in the database that the connection string <c>postgres</c> names.</summary>
    public static IHostApplicationBuilder AddPostgresDirectory(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddOptions<PostgresDirectoryOptions>()
            .BindConfiguration(PostgresDirectoryOptions.SectionName)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        services.AddOptions<DirectoryOptions>()
            .Validate<IConfiguration>(
                (_, configuration) => !string.IsNullOrWhiteSpace(configuration.GetConnectionString(DirectoryRegistration.PostgresConnection)),
                "ConnectionStrings:postgres must say where PostgreSQL is, as in 'Host=db;Database=whatsaspire;Username=whatsaspire;Password=…'.")
            .Validate(
                o => o.KeyEncryptionSecret is not null,
                "Directory:KeyEncryptionSecret must be set with PostgreSQL, to base64 of at least 32 random bytes: the database holds the keys that sign tokens.");

        var timeouts = new PostgresDirectoryOptions();
        builder.Configuration.GetSection(PostgresDirectoryOptions.SectionName).Bind(timeouts);
        // The directory's own check says why; the client's would only double it.
        builder.AddNpgsqlDataSource(DirectoryRegistration.PostgresConnection, settings => settings.DisableHealthChecks = true,
            source => timeouts.Complete(source.ConnectionStringBuilder));
        services.AddSingleton<SqlDirectory>(provider =>
        {
            // Before the client, which has another word for a connection string that is missing: here it is checked.
            _ = provider.GetRequiredService<IOptions<DirectoryOptions>>().Value;
            return new PostgresDirectory(
                provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<IOptions<PostgresDirectoryOptions>>().Value,
                provider.GetRequiredService<TimeProvider>());
        });
        builder.AddDirectoryParts();
        return builder;
    }
}
