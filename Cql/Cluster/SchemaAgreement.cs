using Microsoft.Extensions.Logging;
using WhatsAspire.Cql.Connections;

namespace WhatsAspire.Cql.Cluster;

/// <summary>Waits, after a change of the schema, until all nodes that are up have taken it over.</summary>
internal sealed class SchemaAgreement(CqlOptions options, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <param name="connection">To the node that made the change.</param>
    /// <param name="map">Who is up; nodes that are down are not waited for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the time was up first.</returns>
    public async Task<bool> WaitAsync(CqlConnection connection, Func<ClusterMap> map, CancellationToken cancellationToken)
    {
        if (options.SchemaAgreementTimeout == TimeSpan.Zero)
            return true;
        var start = time.GetTimestamp();
        while (true)
        {
            var versions = await ClusterReader.ReadSchemaVersionsAsync(connection, options.Port, cancellationToken);
            var seen = map();
            if (versions.Where(entry => entry.Node is null || seen.Find(entry.Node) is not { IsUp: false, Pool: not null })
                .Select(entry => entry.Version).Distinct().Count() <= 1)
                return true;
            if (time.GetElapsedTime(start) >= options.SchemaAgreementTimeout)
            {
                logger.SchemaNotAgreed(options.SchemaAgreementTimeout);
                return false;
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }
}
