using System.Diagnostics;
using System.Globalization;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Execution;

/// <summary>What a call leaves in traces and metrics. Neither values nor the statement's text, in which some write values.</summary>
internal sealed class CallTelemetry(CqlMetrics metrics, CqlOptions options, TimeProvider time)
{
    private static readonly ActivitySource Source = new(CqlTelemetry.SourceName);

    /// <param name="operation">SELECT, BATCH...</param>
    /// <param name="batchSize">0 for a single statement.</param>
    /// <param name="consistency">What is asked for.</param>
    public Span Begin(string operation, int batchSize, CqlConsistency consistency)
    {
        metrics.InFlight(1);
        var activity = Source.HasListeners() ? Source.StartActivity(operation, ActivityKind.Client) : null;
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag(CqlTelemetry.SystemNameAttribute, CqlTelemetry.SystemName);
            activity.SetTag(CqlTelemetry.OperationNameAttribute, operation);
            activity.SetTag(CqlTelemetry.ConsistencyAttribute, consistency.ToString());
            if (options.Keyspace is { } keyspace)
                activity.SetTag(CqlTelemetry.NamespaceAttribute, keyspace);
            if (batchSize > 1)
                activity.SetTag(CqlTelemetry.BatchSizeAttribute, batchSize);
        }

        return new(this, operation, activity, time.GetTimestamp());
    }

    internal readonly struct Span(CallTelemetry owner, string operation, Activity? activity, long start)
    {
        public void Succeeded(Call call, StatementRequest request)
        {
            if (activity is { IsAllDataRequested: true })
            {
                activity.SetTag(CqlTelemetry.IdempotentAttribute, request.IsIdempotent);
                if (request is ExecuteRequest { Prepared: { Table.Length: > 0 } prepared })
                {
                    activity.DisplayName = $"{operation} {prepared.Keyspace}.{prepared.Table}";
                    activity.SetTag(CqlTelemetry.CollectionAttribute, prepared.Table);
                }
            }

            End(call, error: null);
        }

        public void Failed(Call? call, Exception error)
        {
            var name = error is CqlException known ? known.TelemetryName : error.GetType().Name;
            if (activity is not null)
            {
                activity.SetStatus(ActivityStatusCode.Error, error.GetType().Name);
                activity.SetTag(CqlTelemetry.ErrorTypeAttribute, name);
                if (error is CqlException { ServerCode: { } code })
                    activity.SetTag(CqlTelemetry.StatusCodeAttribute, code.ToString(CultureInfo.InvariantCulture));
            }

            End(call, name);
        }

        private void End(Call? call, string? error)
        {
            owner.EndCall(operation, start, error);
            if (activity is null)
                return;
            if (activity.IsAllDataRequested && call?.LastNode is { } node)
            {
                activity.SetTag(CqlTelemetry.CoordinatorAttribute, node.HostId.ToString());
                activity.SetTag(CqlTelemetry.DatacenterAttribute, node.Datacenter);
                activity.SetTag(CqlTelemetry.ServerAddressAttribute, node.EndPoint.Address.ToString());
                activity.SetTag(CqlTelemetry.ServerPortAttribute, node.EndPoint.Port);
            }

            activity.Dispose();
        }
    }

    private void EndCall(string operation, long start, string? error)
    {
        metrics.InFlight(-1);
        if (metrics.IsDurationWanted)
            metrics.Ended(time.GetElapsedTime(start), operation, options.Keyspace, error);
    }
}
