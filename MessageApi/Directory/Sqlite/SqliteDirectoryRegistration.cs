using Microsoft.Extensions.Options;

namespace WhatsAspire.MessageApi.Directory.Sqlite;

/// <summary>Chooses SQLite for the directory.</summary>
public static class SqliteDirectoryRegistration
{
    /// <summary>Keeps the directory in the SQLite file that <see cref="DirectoryOptions.Path"/> names.</summary>
    public static IHostApplicationBuilder AddSqliteDirectory(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddOptions<DirectoryOptions>()
            .PostConfigure<IConfiguration>((options, configuration) =>
            {
                if (options.Path.Length == 0 && configuration["Storage:Path"] is { Length: > 0 } folder)
                    options.Path = Path.Combine(folder, "directory.db");
            })
            .Validate(o => o.Path.Length > 0, "Directory:Path must name a file, or Storage:Path a folder to hold directory.db.")
            .Validate(
                o => o.WriteTimeout > TimeSpan.Zero && o.WriteTimeout <= TimeSpan.FromMinutes(1),
                "Directory:WriteTimeout must be above 0 and at most a minute.");
        services.AddSingleton<SqlDirectory>(provider =>
        {
            var options = provider.GetRequiredService<IOptions<DirectoryOptions>>().Value;
            return new SqliteDirectory(options.File, options.WriteTimeout);
        });
        builder.AddDirectoryParts();
        return builder;
    }
}
