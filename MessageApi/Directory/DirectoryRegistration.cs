using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using WhatsAspire.MessageApi.Directory.Postgres;
using WhatsAspire.MessageApi.Directory.Sqlite;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Chooses the directory's engine.</summary>
public static class DirectoryRegistration
{
    internal const string PostgresConnection = "postgres";

    /// <summary>Adds the directory on the engine that <c>Directory:Engine</c> names, <c>postgres</c> or <c>sqlite</c>; where it
    /// names none, on PostgreSQL if there is a connection string <c>postgres</c>, else on SQLite.</summary>
    public static IHostApplicationBuilder AddDirectory(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var hasPostgres = !string.IsNullOrEmpty(builder.Configuration.GetConnectionString(PostgresConnection));
        var engine = builder.Configuration[$"{DirectoryOptions.SectionName}:{nameof(DirectoryOptions.Engine)}"];
        return (string.IsNullOrEmpty(engine) ? hasPostgres : engine == DirectoryOptions.Postgres)
            ? builder.AddPostgresDirectory()
            : builder.AddSqliteDirectory();
    }

    /// <summary>What the directory has on either engine: it is migrated before the service listens, and watched by the
    /// health check <c>directory</c>. Needs a <see cref="SqlDirectory"/>.</summary>
    internal static void AddDirectoryParts(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<DirectoryOptions>()
            .BindConfiguration(DirectoryOptions.SectionName)
            .Validate(
                o => o.Engine is "" or DirectoryOptions.Postgres or DirectoryOptions.Sqlite,
                "Directory:Engine must be 'postgres' or 'sqlite', or not set.")
            .Validate(
                o => o.KeyEncryptionSecret is null || SigningKeyProtection.IsSecret(o.KeyEncryptionSecret),
                "Directory:KeyEncryptionSecret must be base64 of at least 32 bytes.")
            .ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IDirectory>(provider => provider.GetRequiredService<SqlDirectory>());
        services.AddSingleton(provider =>
            new SigningKeyProtection(provider.GetRequiredService<IOptions<DirectoryOptions>>().Value.KeyEncryptionSecret));
        services.AddHostedService<DirectoryMigration>();
        services.AddHealthChecks().AddCheck<DirectoryHealthCheck>("directory", tags: ["ready"], timeout: TimeSpan.FromSeconds(5));
    }
}
