using System.Text.Json;
using Grpc.Core;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Delivers what failed to be delivered live, from the queue, one group over all edges. Each time anew it looks up
/// where the recipients are and reads what they lack. It tries again while a recipient's edge lives and can't be
/// reached, or while Redis or MessageApi don't answer; who is nowhere connected needs nothing: his devices sync when
/// they come back.</summary>
internal sealed class RedeliveryConsumer(
    IEventQueue queue, Redelivery redelivery, SessionRegistry sessions, EdgeMetrics metrics, IOptions<EdgeOptions> options,
    TimeProvider time, ILogger<RedeliveryConsumer> logger) : BackgroundService
{
    /// <summary>Its offsets are kept under this name: never change it.</summary>
    private const string Group = "redelivery";

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var subscription = await queue.SubscribeAsync(RedeliveryEvent.Topic, Group, HandleAsync, stoppingToken);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; what is not done others do.
        }
    }

    private async ValueTask<Handled> HandleAsync(ReceivedEvent received, CancellationToken cancellationToken)
    {
        if (received.Type != RedeliveryEvent.Type || Parse(received.Payload.Span) is not { } failed)
        {
            metrics.Redelivered("unreadable");
            return Handled.Dead($"no {RedeliveryEvent.Type} that this version can read");
        }

        try
        {
            // What an earlier attempt has delivered need not be delivered again.
            var progress = (RedeliveryProgress)(received.State ??= new RedeliveryProgress());
            await redelivery.DeliverAsync(failed, received.PublishedAt, progress, cancellationToken);
            // Who is not found while edges still register anew what Redis forgot may be connected all the same.
            if (!progress.IsRefused && (!progress.IsMissing || sessions.IsWhole))
            {
                metrics.Redelivered(progress.Done.Count > 0 ? "delivered" : "offline");
                return Handled.Done;
            }
        }
        catch (Exception e) when (e is RedisException or TimeoutException or RpcException)
        {
            logger.RedeliveryDelayed(e is RpcException rpc ? rpc.Status.Detail : e.Message);
        }

        if (time.GetUtcNow() - received.PublishedAt > options.Value.RedeliveryPatience)
        {
            metrics.Redelivered("expired");
            return Handled.Done;
        }

        metrics.Redelivered("retried");
        var wait = FirstRetry * Math.Pow(2, Math.Min(received.Attempt - 1, 10));
        return Handled.RetryLater(wait < LastRetry ? wait : LastRetry);
    }

    private static RedeliveryEvent? Parse(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, EventJson.Default.RedeliveryEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
