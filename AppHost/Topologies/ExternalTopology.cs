namespace WhatsAspire.AppHost.Topologies;

/// <summary>Servers that are there already, named by connection strings in the configuration.</summary>
internal static class ExternalTopology
{
    private const string DirectorySecret = "Directory:KeyEncryptionSecret";
    private const int SecretBytes = 32;

    private static readonly string[] Needed = [ResourceNames.Redis, ResourceNames.Kafka, ResourceNames.Postgres, ResourceNames.Cassandra];

    /// <summary>Adds the engines.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="data">Where that is kept which is no engine's.</param>
    /// <exception cref="BadOptionException">A connection string is missing.</exception>
    public static Engines AddExternalEngines(this IDistributedApplicationBuilder builder, DataFolder data)
    {
        var isRun = builder.ExecutionContext.IsRunMode;
        List<string> settings = [.. Needed.Select(name => $"ConnectionStrings:{name}"), DirectorySecret];
        var missing = settings.FindAll(setting => string.IsNullOrWhiteSpace(builder.Configuration[setting]));
        if (isRun && missing.Count > 0)
        {
            throw new BadOptionException(
                $"--engines external needs the settings {string.Join(", ", missing)}; in the environment they are {string.Join(", ", missing.Select(InEnvironment))}.")
            { NeedsUsage = false };
        }

        // MessageApi would say so too, in its log, and be started again for ever.
        if (isRun && !IsSecret(builder.Configuration[DirectorySecret]!))
            throw new BadOptionException($"{DirectorySecret} must be base64 of at least {SecretBytes} bytes.") { NeedsUsage = false };
        if (isRun) builder.Configuration[$"Parameters:{ResourceNames.DirectorySecret}"] = builder.Configuration[DirectorySecret];
        var secret = builder.AddParameter(ResourceNames.DirectorySecret, secret: true);
        return new([.. Needed.Select(name => new Engine(name, builder.AddConnectionString(name).Resource.ConnectionStringExpression))])
        {
            StoragePath = isRun ? data.Of(ResourceNames.MessageApi) : null,
            DirectorySecret = ReferenceExpression.Create($"{secret}"),
        };
    }

    private static bool IsSecret(string text) =>
        Convert.TryFromBase64String(text, new byte[text.Length], out var length) && length >= SecretBytes;

    private static string InEnvironment(string setting) => setting.Replace(":", "__", StringComparison.Ordinal);
}
