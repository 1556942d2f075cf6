using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>Makes topics that are missing, once each.</summary>
internal sealed class KafkaTopics(KafkaQueueOptions settings, QueueOptions options, TimeProvider time, ILogger logger) : IDisposable
{
    // What publishes carry beside the payload: key, type, headers of the publisher and of a dead letter.
    internal const int Overhead = 64 * 1024;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (long At, QueueUnavailableException Error)> _failed = new(StringComparer.Ordinal);
    private readonly Lazy<IAdminClient> _admin = new(() => MakeAdmin(settings, logger));

    /// <summary>A client for the cluster's affairs that logs where we do, and not on the console.</summary>
    public static IAdminClient MakeAdmin(KafkaQueueOptions settings, ILogger logger) =>
        new AdminClientBuilder(settings.Apply(new AdminClientConfig()))
            .SetErrorHandler((_, e) => logger.KafkaLog("admin", e.Code.ToString(), e.Reason))
            .SetLogHandler((_, log) => logger.KafkaLog(log.Name, log.Facility, log.Message))
            .Build();

    public bool IsKnown(string topic) => !settings.CreateTopics || _known.ContainsKey(topic);

    /// <exception cref="QueueUnavailableException">It can't be made now. For a second after such a failure nothing is
    /// tried.</exception>
    public async Task EnsureAsync(string topic)
    {
        if (IsKnown(topic)) return;
        if (_failed.TryGetValue(topic, out var failed) && time.GetElapsedTime(failed.At) < Retry) throw failed.Error;
        try
        {
            await _admin.Value.CreateTopicsAsync([Specify(topic)], new() { RequestTimeout = Timeout, OperationTimeout = Timeout });
        }
        catch (CreateTopicsException e) when (e.Results.All(r => r.Error.Code is ErrorCode.TopicAlreadyExists))
        {
            // It keeps the settings that it has.
        }
        catch (KafkaException e)
        {
            var reason = e is CreateTopicsException { Results: [var result, ..] } ? result.Error.Reason : e.Error.Reason;
            var error = new QueueUnavailableException($"the topic '{topic}' can't be made: {reason}", e);
            _failed[topic] = (time.GetTimestamp(), error);
            throw error;
        }

        _known[topic] = true;
    }

    public void Dispose()
    {
        if (_admin.IsValueCreated) _admin.Value.Dispose();
    }

    private TopicSpecification Specify(string topic)
    {
        var isDead = topic.EndsWith(EventQueue.DeadSuffix, StringComparison.Ordinal);
        var configs = new Dictionary<string, string>
        {
            ["max.message.bytes"] = (options.MaxPayloadBytes + Overhead).ToString(CultureInfo.InvariantCulture),
        };
        if (settings.MinInSyncReplicas > 0)
            configs["min.insync.replicas"] = settings.MinInSyncReplicas.ToString(CultureInfo.InvariantCulture);
        if (isDead)
            configs["retention.ms"] = ((long)settings.DeadLetterRetention.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        return new()
        {
            Name = topic,
            NumPartitions = isDead ? 1 : options.Partitions,
            ReplicationFactor = settings.ReplicationFactor,
            Configs = configs,
        };
    }
}
