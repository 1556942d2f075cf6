using System.Globalization;
using System.Text;
using WhatsAspire.Backplane.Queue;
using Xunit;

namespace WhatsAspire.Conformance;

/// <summary>What every <see cref="IEventQueue"/> must do. An adapter's test class derives from it and says how a queue is
/// opened; each opened one stands for a process of its own. Each test has topics that no other test has.</summary>
public abstract partial class EventQueueConformance : IAsyncLifetime
{
    /// <summary>How long something is waited for, with many times what it takes.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const string Type = "conformance.v1";
    private readonly List<IEventQueue> _open = [];

    /// <summary>Opens a queue as another process would, upon what was stored before.</summary>
    /// <param name="options">Those that all engines have.</param>
    protected abstract Task<IEventQueue> OpenAsync(QueueOptions options);

    /// <summary>Ends a queue as SIGKILL ends its process: nothing more is committed, nobody is told.</summary>
    protected abstract Task CrashAsync(IEventQueue queue);

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Topic { get; } = $"t-{Guid.NewGuid():N}";

    public virtual ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        await DisposeCoreAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the queues. Override to remove what the test left, after calling this.</summary>
    protected virtual async ValueTask DisposeCoreAsync()
    {
        foreach (var queue in _open) await ((IAsyncDisposable)queue).DisposeAsync();
    }

    /// <summary>Small waits, so that failures cost little time.</summary>
    protected static QueueOptions Settings(Action<QueueOptions>? change = null)
    {
        var options = new QueueOptions
        {
            Partitions = 4,
            MaxAttempts = 3,
            FirstRetry = TimeSpan.FromMilliseconds(10),
            LastRetry = TimeSpan.FromMilliseconds(50),
            StopGrace = TimeSpan.FromSeconds(2),
        };
        change?.Invoke(options);
        return options;
    }

    protected async Task<IEventQueue> QueueAsync(Action<QueueOptions>? change = null)
    {
        var queue = await OpenAsync(Settings(change));
        _open.Add(queue);
        return queue;
    }

    protected async Task CloseAsync(IEventQueue queue)
    {
        _open.Remove(queue);
        await ((IAsyncDisposable)queue).DisposeAsync();
    }

    protected async Task KillAsync(IEventQueue queue)
    {
        _open.Remove(queue);
        await CrashAsync(queue);
    }

    protected static QueueEvent Event(string key, int number, IReadOnlyDictionary<string, string>? headers = null) => new()
    {
        Key = key,
        Type = Type,
        Payload = Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)),
        Headers = headers ?? new Dictionary<string, string>(),
    };

    protected static int NumberOf(ReceivedEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        return int.Parse(Encoding.UTF8.GetString(received.Payload.Span), CultureInfo.InvariantCulture);
    }

    /// <summary>Publishes the numbers from <paramref name="first"/> on for each key, and waits until all are stored.</summary>
    protected static async Task PublishAsync(IEventQueue queue, string topic, int keys, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(queue);
        var publishes = new List<Task>();
        for (var number = first; number < first + count; number++)
            for (var key = 0; key < keys; key++) publishes.Add(queue.PublishAsync(topic, Event($"k{key}", number), Token));
        await Task.WhenAll(publishes);
    }

    protected static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits for a task, and says what was waited for when it does not come.</summary>
    protected static async Task WaitForAsync(Task task, string what)
    {
        ArgumentNullException.ThrowIfNull(task);
        try
        {
            await task.WaitAsync(Patience, Token);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"waited {Patience.TotalSeconds} s for {what}", e);
        }
    }

    /// <summary>What the handlers of a test were called with.</summary>
    protected sealed class Recorder
    {
        private readonly Lock _gate = new();
        private readonly List<ReceivedEvent> _seen = [];
        private readonly Dictionary<string, int> _next = new(StringComparer.Ordinal);
        private readonly List<string> _jumps = [];
        private TaskCompletionSource _changed = NewSignal();

        /// <summary>Takes note of the event, and is done with it.</summary>
        public ValueTask<Handled> HandleAsync(ReceivedEvent received, CancellationToken cancellationToken)
        {
            Note(received);
            return new(Handled.Done);
        }

        public void Note(ReceivedEvent received)
        {
            ArgumentNullException.ThrowIfNull(received);
            lock (_gate)
            {
                // Repeats are allowed, jumps are not: what was never there before must be the next one of its key.
                var (number, next) = (NumberOf(received), _next.GetValueOrDefault(received.Key));
                if (number > next) _jumps.Add($"{received.Key}: {number} after {next - 1}");
                _next[received.Key] = Math.Max(next, number + 1);
                _seen.Add(received);
                _changed.TrySetResult();
            }
        }

        public IReadOnlyList<ReceivedEvent> Seen
        {
            get
            {
                lock (_gate) return [.. _seen];
            }
        }

        /// <summary>Of one key, in the order of the calls.</summary>
        public int[] Numbers(string key) => [.. Seen.Where(e => e.Key == key).Select(NumberOf)];

        /// <summary>Waits until something holds for what was seen.</summary>
        public async Task UntilAsync(Func<IReadOnlyList<ReceivedEvent>, bool> holds, string what)
        {
            ArgumentNullException.ThrowIfNull(holds);
            while (true)
            {
                Task changed;
                lock (_gate)
                {
                    if (holds(_seen)) return;
                    if (_changed.Task.IsCompleted) _changed = NewSignal();
                    changed = _changed.Task;
                }

                await WaitForAsync(changed, $"{what}; {_seen.Count} events came");
            }
        }

        /// <summary>Waits until each key's numbers up to <paramref name="count"/> were seen.</summary>
        public Task AllAsync(int keys, int count) => UntilAsync(
            _ => _next.Count == keys && _next.Values.All(n => n >= count), $"{count} events of each of {keys} keys");

        /// <summary>Asserts that nothing was handed over before what comes before it.</summary>
        public void HasNoJumps()
        {
            lock (_gate) Assert.Empty(_jumps);
        }
    }
}
