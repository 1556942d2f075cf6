using System.Collections.Concurrent;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Keeps the appends of one conversation in the order of the calls: while some are under way the next collect,
/// and are then worked on together.</summary>
internal sealed class AppendLanes(Appender appender, int queueLength) : IDisposable
{
    private const int CallsAtOnce = 64;
    private readonly ConcurrentDictionary<ConversationId, Lane> _lanes = new();
    private readonly SemaphoreSlim _room = new(queueLength);

    /// <summary>Appends. Waits for room first, in order; the cancellation stops the waiting, not the write.</summary>
    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(PendingAppend call, CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken);
        while (!_lanes.GetOrAdd(call.Shape.Id, static (id, lanes) => new(lanes, id), this).TryAdd(call))
        {
            // The lane has just run empty and is being removed; the next round makes a new one.
        }

        return await call.Task.WaitAsync(cancellationToken);
    }

    public void Dispose() => _room.Dispose();

    private async Task WorkAsync(ConversationId conversation, List<PendingAppend> calls)
    {
        await appender.AppendAsync(conversation, calls);
        _room.Release(calls.Count);
    }

    /// <summary>One conversation's appends. It lives while there are any.</summary>
    private sealed class Lane(AppendLanes lanes, ConversationId conversation)
    {
        private readonly Lock _gate = new();
        private readonly Queue<PendingAppend> _waiting = new();
        private bool _running;
        private bool _retired;

        public bool TryAdd(PendingAppend call)
        {
            lock (_gate)
            {
                if (_retired) return false;
                _waiting.Enqueue(call);
                if (_running) return true;
                _running = true;
            }

            _ = RunAsync();
            return true;
        }

        private async Task RunAsync()
        {
            var calls = new List<PendingAppend>(CallsAtOnce);
            while (true)
            {
                lock (_gate)
                {
                    while (calls.Count < CallsAtOnce && _waiting.TryDequeue(out var call)) calls.Add(call);
                    if (calls.Count == 0)
                    {
                        _retired = true;
                        lanes._lanes.TryRemove(conversation, out _);
                        return;
                    }
                }

                await lanes.WorkAsync(conversation, calls);
                calls.Clear();
            }
        }
    }
}
