using System.ComponentModel.DataAnnotations;
using Npgsql;

namespace WhatsAspire.MessageApi.Directory.Postgres;

/// <summary>How long PostgreSQL is waited for, and by how many at once. The server itself is named by the connection
/// string <c>postgres</c>, whose own settings win over these where they say the same.</summary>
public sealed class PostgresDirectoryOptions
{
    public const string SectionName = "Directory:Postgres";

    /// <summary>Connections of one process at most; who finds all of them in use waits for one. 1 to 1,000, and in all
    /// processes together fewer than the server's <c>max_connections</c>.</summary>
    [Range(1, 1000)]
    public int PoolSize { get; set; } = 20;

    /// <summary>How long a connection may take to be opened, or to become free. 1 to 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:30")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long one statement may take. 1 to 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:30")]
    public TimeSpan StatementTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a call may take with all its repetitions; then it fails, and its caller is told to come again.
    /// 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>Puts the settings into a connection string that does not have its own.</summary>
    internal void Complete(NpgsqlConnectionStringBuilder connection)
    {
        Set("Maximum Pool Size", PoolSize);
        Set("Timeout", (int)Math.Ceiling(ConnectTimeout.TotalSeconds));
        Set("Command Timeout", (int)Math.Ceiling(StatementTimeout.TotalSeconds));
        // A statement that got no answer is given up with its connection.
        Set("Cancellation Timeout", -1);
        Set("Application Name", "whatsaspire-message-api");
        Set("Max Auto Prepare", 40);

        void Set(string name, object value)
        {
            if (!connection.ContainsKey(name)) connection[name] = value;
        }
    }
}
