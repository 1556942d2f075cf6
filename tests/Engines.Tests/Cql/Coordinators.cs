using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using WhatsAspire.Cql;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>Which node each statement was sent to, from the client's traces, and which node has a partition, from the servers' own
/// <c>token()</c> and their tokens; for nodes with one token each.</summary>
internal sealed class Coordinators : IDisposable
{
    private readonly List<(long Token, string Address)> _ring = [];
    private readonly ConcurrentDictionary<ActivityTraceId, string> _asked = new();
    private readonly ActivityListener _listener;
    private readonly CqlSession _session;

    private Coordinators(CqlSession session)
    {
        _session = session;
        _listener = new()
        {
            ShouldListenTo = source => source.Name == CqlTelemetry.SourceName,
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity => _asked[activity.TraceId] = $"{activity.GetTagItem(CqlTelemetry.ServerAddressAttribute)}",
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>Waits until every node has answered: a session may be used before all of them are connected.</summary>
    public static async Task<Coordinators> OfAsync(CqlSession session, int nodes)
    {
        var coordinators = new Coordinators(session);
        var local = new CqlStatement("SELECT rpc_address, tokens FROM system.local");
        while (coordinators._ring.Count < nodes)
        {
            var row = (await session.ExecuteAsync(local.Bind(), TestContext.Current.CancellationToken))[0];
            var entry = (long.Parse(Assert.Single(row.GetList<string>(1)), CultureInfo.InvariantCulture), row.GetInet(0).ToString());
            if (!coordinators._ring.Contains(entry))
                coordinators._ring.Add(entry);
        }

        coordinators._ring.Sort();
        return coordinators;
    }

    /// <param name="selectToken">A statement that gives the token of one row that exists.</param>
    /// <returns>Whom it was sent to, and to whom the row belongs.</returns>
    public async Task<(string Asked, string Owner)> RunAsync(CqlCommand selectToken)
    {
        using var trace = new Activity("test").Start();
        var token = Assert.Single(await _session.ExecuteAsync(selectToken, TestContext.Current.CancellationToken)).GetInt64(0);
        return (_asked[trace.TraceId], _ring.FirstOrDefault(entry => token <= entry.Token, _ring[0]).Address);
    }

    public void Dispose() => _listener.Dispose();
}
