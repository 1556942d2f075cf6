using System.Threading.Channels;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>Ends the waiting of <see cref="EarlyMessages"/>: what has not come by then may have been lost, and the client,
/// which sees the jump, pulls it.</summary>
internal sealed class GapPatience(IOptions<EdgeOptions> options, TimeProvider time) : BackgroundService
{
    private readonly Channel<Wait> _waits = Channel.CreateBounded<Wait>(new BoundedChannelOptions(65_536) { SingleReader = true });

    private readonly record struct Wait(EdgeConnection Connection, ConversationId Conversation, long Seq, long Since);

    /// <summary>Whether messages wait at all.</summary>
    public bool IsOn => options.Value.GapPatience > TimeSpan.Zero;

    /// <summary>Has what waits of a conversation, up to this seq, passed on when its time is up.</summary>
    /// <returns>False when too many wait.</returns>
    public bool TryAdd(EdgeConnection connection, ConversationId conversation, long seq) =>
        _waits.Writer.TryWrite(new(connection, conversation, seq, time.GetTimestamp()));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // All wait equally long: who came first is done first.
            await foreach (var wait in _waits.Reader.ReadAllAsync(stoppingToken))
            {
                var left = options.Value.GapPatience - time.GetElapsedTime(wait.Since);
                if (left > TimeSpan.Zero) await Task.Delay(left, time, stoppingToken);
                wait.Connection.EndWait(wait.Conversation, wait.Seq);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }
}
