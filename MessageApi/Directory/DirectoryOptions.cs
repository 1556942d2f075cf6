namespace WhatsAspire.MessageApi.Directory;

/// <summary>Where accounts, devices and signing keys are kept, and how long a key is used.</summary>
public sealed class DirectoryOptions
{
    public const string SectionName = "Directory";

    internal const string Postgres = "postgres";
    internal const string Sqlite = "sqlite";

    /// <summary><c>postgres</c> or <c>sqlite</c>. Unless set, PostgreSQL if there is a connection string <c>postgres</c>.</summary>
    public string Engine { get; set; } = "";

    /// <summary>The SQLite file, or an existing folder to hold <c>directory.db</c>. Unless set, the file lies in the
    /// folder that <c>Storage:Path</c> names.</summary>
    public string Path { get; set; } = "";

    /// <summary>How long a write waits for the writers before it, at most a minute.</summary>
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Base64 of at least 32 random bytes. With it, the private signing keys are encrypted at rest (AES-256-GCM
    /// under a key that HKDF-SHA256 derives from it); the replicas must share it. Without it they are kept as they
    /// are, which only the embedded SQLite file allows: that file can be read by its owner alone.</summary>
    public string? KeyEncryptionSecret { get; set; }

    /// <summary>The file that <see cref="Path"/> means.</summary>
    internal string File => System.IO.Directory.Exists(Path) ? System.IO.Path.Combine(Path, "directory.db") : Path;
}
