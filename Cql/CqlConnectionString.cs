using System.Data.Common;
using System.Globalization;

namespace WhatsAspire.Cql;

/// <summary>Reads connection strings into <see cref="CqlOptions"/>.</summary>
internal static class CqlConnectionString
{
    private static readonly Dictionary<string, Action<CqlOptions, string>> Keys = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ContactPoints"] = SetContactPoints,
        ["Host"] = SetContactPoints,
        ["Port"] = (options, value) => options.Port = Integer(value),
        ["Keyspace"] = (options, value) => options.Keyspace = value,
        ["DefaultKeyspace"] = (options, value) => options.Keyspace = value,
        ["Username"] = (options, value) => options.Username = value,
        ["Password"] = (options, value) => options.Password = value,
        ["LocalDatacenter"] = (options, value) => options.LocalDatacenter = value,
        ["UseRemoteDatacenters"] = (options, value) => options.UseRemoteDatacenters = bool.Parse(value),
        ["Consistency"] = (options, value) => options.Consistency = Enum.Parse<CqlConsistency>(value, ignoreCase: true),
        ["SerialConsistency"] = (options, value) => options.SerialConsistency = Enum.Parse<CqlConsistency>(value, ignoreCase: true),
        ["PageSize"] = (options, value) => options.PageSize = Integer(value),
        ["RequestTimeout"] = (options, value) => options.RequestTimeout = Span(value),
        ["ConnectTimeout"] = (options, value) => options.ConnectTimeout = Span(value),
        ["ConnectionsPerNode"] = (options, value) => options.ConnectionsPerNode = Integer(value),
        ["UseCompression"] = (options, value) => options.UseCompression = bool.Parse(value),
        ["MaxProtocolVersion"] = (options, value) => options.MaxProtocolVersion = Integer(value),
        ["UseTls"] = (options, value) => options.UseTls = bool.Parse(value),
        ["Ssl"] = (options, value) => options.UseTls = bool.Parse(value),
        ["TlsHostName"] = (options, value) => options.TlsHostName = value,
        ["ApplicationName"] = (options, value) => options.ApplicationName = value,
    };

    public static void Apply(CqlOptions options, string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        var parsed = new DbConnectionStringBuilder { ConnectionString = connectionString };
        foreach (string key in parsed.Keys)
        {
            if (!Keys.TryGetValue(key.Replace(" ", "", StringComparison.Ordinal), out var set))
                throw new ArgumentException($"A connection string for Cassandra has no '{key}'. It may have {string.Join(", ", Keys.Keys)}.");
            try
            {
                set(options, (string)parsed[key]);
            }
            catch (Exception unreadable) when (unreadable is FormatException or OverflowException or ArgumentException)
            {
                // The value is not repeated: it could be part of a password that was not quoted.
                throw new ArgumentException($"The value of '{key}' in the connection string can't be read.", unreadable);
            }
        }
    }

    private static void SetContactPoints(CqlOptions options, string value)
    {
        options.ContactPoints.Clear();
        foreach (var point in value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            options.ContactPoints.Add(point);
    }

    private static int Integer(string value) => int.Parse(value, NumberStyles.Integer, CultureInfo.InvariantCulture);

    /// <summary><c>00:00:05</c>.</summary>
    private static TimeSpan Span(string value) => TimeSpan.ParseExact(value, "c", CultureInfo.InvariantCulture);
}
