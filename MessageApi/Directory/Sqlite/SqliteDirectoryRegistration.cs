using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace WhatsAspire.MessageApi.Directory.Sqlite;

/// <summary>Chooses SQLite for the directory.</summary>
public static class SqliteDirectoryRegistration
{
    /// <summary>Keeps the directory in the SQLite file that <see cref="DirectoryOptions.Path"/> names, migrates it before
    /// the service listens, and watches it with the health check <c>directory</c>.</summary>
    public static IHostApplicationBuilder AddSqliteDirectory(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddOptions<DirectoryOptions>()
            .BindConfiguration(DirectoryOptions.SectionName)
            .PostConfigure<IConfiguration>((options, configuration) =>
            {
                if (options.Path.Length == 0 && configuration["Storage:Path"] is { Length: > 0 } folder)
                    options.Path = Path.Combine(folder, "directory.db");
            })
            .Validate(o => o.Path.Length > 0, "Directory:Path must name a file, or Storage:Path a folder to hold directory.db.")
            .Validate(
                o => o.WriteTimeout > TimeSpan.Zero && o.WriteTimeout <= TimeSpan.FromMinutes(1),
                "Directory:WriteTimeout must be above 0 and at most a minute.")
            .Validate(
                o => o.KeyEncryptionSecret is null || SigningKeyProtection.IsSecret(o.KeyEncryptionSecret),
                "Directory:KeyEncryptionSecret must be base64 of at least 32 bytes.")
            .ValidateOnStart();

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider =>
        {
            var options = provider.GetRequiredService<IOptions<DirectoryOptions>>().Value;
            return new SqliteDirectory(options.File, options.WriteTimeout);
        });
        services.AddSingleton<SqlDirectory>(provider => provider.GetRequiredService<SqliteDirectory>());
        services.AddSingleton<IDirectory>(provider => provider.GetRequiredService<SqliteDirectory>());
        services.AddSingleton(provider =>
            new SigningKeyProtection(provider.GetRequiredService<IOptions<DirectoryOptions>>().Value.KeyEncryptionSecret));
        services.AddHostedService<DirectoryMigration>();
        services.AddHealthChecks().AddCheck<DirectoryHealthCheck>("directory", tags: ["ready"]);
        return builder;
    }
}
