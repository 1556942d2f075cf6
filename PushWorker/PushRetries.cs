using System.Text.Json;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.PushWorker;

/// <summary>Puts pushes that failed back on the queue, to be tried again after a wait. Nothing of it is in memory alone.</summary>
internal sealed class PushRetries(IEventQueue queue, IOptions<PushOptions> options, TimeProvider time)
{
    /// <summary>Whether it was tried for long enough.</summary>
    public bool IsOver(PushEvent push) => push.FirstTriedAt is { } first && time.GetUtcNow() - first >= options.Value.GiveUpAfter;

    /// <summary>One device is to be tried again.</summary>
    /// <param name="push">What was tried.</param>
    /// <param name="device">Which one.</param>
    /// <param name="asked">The least wait that the provider asks for, or null.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="QueueUnavailableException">It is not known whether it was put there.</exception>
    public async Task AddAsync(PushEvent push, DeviceId device, TimeSpan? asked, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var wait = RetryTopics.Wait(push.Tries + 1, asked, Random.Shared.NextDouble());
        var again = push with
        {
            Device = device,
            FirstTriedAt = push.FirstTriedAt ?? now,
            Tries = push.Tries + 1,
            NotBefore = now + wait,
        };
        await queue.PublishAsync(RetryTopics.Of(wait), new()
        {
            Key = push.UserId.ToString(),
            Type = PushEvent.Type,
            Payload = JsonSerializer.SerializeToUtf8Bytes(again, EventJson.Default.PushEvent),
        }, cancellationToken);
    }
}
