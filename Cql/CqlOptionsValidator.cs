namespace WhatsAspire.Cql;

/// <summary>Finds what is wrong with settings before anything is connected.</summary>
internal static class CqlOptionsValidator
{
    private const int MaxStreams = 32_768;

    public static IReadOnlyList<string> Check(CqlOptions options)
    {
        var wrong = new List<string>();
        if (options.ContactPoints.Count == 0)
            wrong.Add("ContactPoints is empty: name one node at least.");
        foreach (var point in options.ContactPoints)
            Require(ContactPoint.TryParse(point, options.Port, out _), $"ContactPoints has '{point}', which is neither 'host' nor 'host:port'.");
        Between(options.Port, 1, 65_535, nameof(options.Port));
        Between(options.PageSize, 1, int.MaxValue, nameof(options.PageSize));
        Between(options.ConnectionsPerNode, 1, 64, nameof(options.ConnectionsPerNode));
        Between(options.MaxRequestsPerConnection, 1, MaxStreams, nameof(options.MaxRequestsPerConnection));
        Between(options.MaxWaitingPerConnection, 0, int.MaxValue, nameof(options.MaxWaitingPerConnection));
        Between(options.MaxOrphansPerConnection, 1, MaxStreams, nameof(options.MaxOrphansPerConnection));
        Between(options.MaxUnsentBytesPerConnection, 64 * 1024, int.MaxValue, nameof(options.MaxUnsentBytesPerConnection));
        Between(options.MaxResponseBytes, 1024, 256 * 1024 * 1024, nameof(options.MaxResponseBytes));
        Between(options.MaxProtocolVersion, 4, 5, nameof(options.MaxProtocolVersion));
        Between(options.MaxSpeculativeExecutions, 1, 10, nameof(options.MaxSpeculativeExecutions));
        Positive(options.RequestTimeout, nameof(options.RequestTimeout));
        Positive(options.ConnectTimeout, nameof(options.ConnectTimeout));
        Positive(options.HeartbeatInterval, nameof(options.HeartbeatInterval));
        Positive(options.HeartbeatTimeout, nameof(options.HeartbeatTimeout));
        Positive(options.ReconnectDelay, nameof(options.ReconnectDelay));
        Require(options.MaxReconnectDelay >= options.ReconnectDelay, "MaxReconnectDelay is less than ReconnectDelay.");
        Require(options.SchemaAgreementTimeout >= TimeSpan.Zero, "SchemaAgreementTimeout is negative.");
        Require(options.SpeculativeDelay is null || options.SpeculativeDelay > TimeSpan.Zero, "SpeculativeDelay is not positive.");
        Require(options.Password is null || options.Username is not null, "There is a Password without a Username.");
        Require(options.SerialConsistency is CqlConsistency.Serial or CqlConsistency.LocalSerial,
            $"SerialConsistency is {options.SerialConsistency}, not Serial or LocalSerial.");
        Require(Enum.IsDefined(options.Consistency), $"Consistency is {options.Consistency}, which is none.");
        return wrong;

        void Require(bool condition, string otherwise)
        {
            if (!condition)
                wrong.Add(otherwise);
        }

        void Between(int value, int least, int most, string name) =>
            Require(value >= least && value <= most, $"{name} is {value}, not {least} to {most}.");

        void Positive(TimeSpan value, string name) =>
            Require(value > TimeSpan.Zero && value.TotalMilliseconds <= int.MaxValue, $"{name} is {value}, which is no time to wait.");
    }
}
