using System.Diagnostics;

namespace WhatsAspire.Backplane.Queue;

/// <summary>Handles the events of one partition, one after the other, for as long as it is this owner's. An event that has
/// to be tried again keeps the later ones of its key behind it, and no others. What may be committed is the lowest
/// offset that is not done: events done beyond it come again after a crash.</summary>
internal sealed class PartitionWorker : IAsyncDisposable
{
    private readonly Subscriber _subscriber;
    private readonly Action<long> _advanced;
    private readonly Func<bool> _isOwner;
    private readonly Lock _gate = new();
    private readonly Queue<Entry> _window = new();
    private readonly Queue<Entry> _ready = new();
    private readonly Dictionary<string, Parked> _parked = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Parked, long> _due = new();
    private readonly CancellationTokenSource _halt = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly Task _running;
    private TaskCompletionSource _wake = NewSignal();
    private long _bytes;
    private bool _stopping;
    private bool _abandoned;
    private volatile bool _isHandling;

    /// <param name="subscriber">Handler, limits and where dead letters go.</param>
    /// <param name="partition">For logs.</param>
    /// <param name="advanced">Called with each rise of the offset that may be committed, rising, one call at a time.</param>
    /// <param name="isOwner">Asked before each handler call; false ends the work.</param>
    public PartitionWorker(Subscriber subscriber, int partition, Action<long> advanced, Func<bool> isOwner)
    {
        (_subscriber, Partition, _advanced, _isOwner) = (subscriber, partition, advanced, isOwner);
        _running = Task.Run(RunAsync);
    }

    public int Partition { get; }

    /// <summary>Completes, never faults, when nothing is handled any more: it was stopped, is no owner, or failed.</summary>
    public Task Ended => _running;

    /// <summary>Called when there is room again after <see cref="HasRoom"/> was false.</summary>
    public Action? OnRoom { get; set; }

    /// <summary>Whether it takes events.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate) return IsRoom;
        }
    }

    /// <summary>Whether at least half of the places are free.</summary>
    public bool IsHalfEmpty
    {
        get
        {
            lock (_gate)
                return _window.Count <= _subscriber.Options.Window / 2
                    && (_window.Count == 0 || _bytes >> 10 < Math.Max(1, _subscriber.Options.WindowKibibytes / 2));
        }
    }

    /// <summary>Events between the lowest that is not done and the newest.</summary>
    public int Held
    {
        get
        {
            lock (_gate) return _window.Count;
        }
    }

    private bool IsRoom =>
        _window.Count < _subscriber.Options.Window && (_window.Count == 0 || _bytes >> 10 < _subscriber.Options.WindowKibibytes);

    /// <summary>Takes the next event. The caller asks <see cref="HasRoom"/> after each.</summary>
    public void Add(ReceivedEvent received)
    {
        lock (_gate)
        {
            var entry = new Entry(received);
            _window.Enqueue(entry);
            _ready.Enqueue(entry);
            _bytes += received.Payload.Length;
            _wake.TrySetResult();
        }
    }

    /// <summary>Lets the handler call under way end, cancels it after the grace, and waits for it once more as long. What
    /// it does after that is not taken note of.</summary>
    public async Task StopAsync()
    {
        lock (_gate)
        {
            _stopping = true;
            _wake.TrySetResult();
        }

        await _halt.CancelAsync();
        var grace = _subscriber.Options.StopGrace;
        await _running.WaitAsync(grace, _subscriber.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_running.IsCompleted)
        {
            await _cancel.CancelAsync();
            await _running.WaitAsync(grace, _subscriber.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Abandon();
    }

    public ValueTask DisposeAsync() => new(StopAsync());

    /// <summary>The partition is not ours any more: nothing that ends from now on is taken note of.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            if (_abandoned) return;
            _abandoned = _stopping = true;
            _wake.TrySetResult();
        }

        _halt.Cancel();
        _cancel.Cancel();
        if (_isHandling) _subscriber.Logger.WorkAbandoned(_subscriber.Topic, _subscriber.Group, Partition);
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                Task signal;
                Entry? entry;
                TimeSpan wait;
                lock (_gate)
                {
                    if (_stopping) return;
                    if (_wake.Task.IsCompleted) _wake = NewSignal();
                    signal = _wake.Task;
                    entry = Take(out wait);
                }

                if (entry is null)
                {
                    await signal.WaitAsync(wait, _subscriber.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    continue;
                }

                await _subscriber.Concurrency.WaitAsync(_halt.Token);
                try
                {
                    if (_stopping || !_isOwner()) return;
                    _isHandling = true;
                    await HandleAsync(entry);
                }
                finally
                {
                    _isHandling = false;
                    _subscriber.Concurrency.Release();
                }
            }
        }
        catch (OperationCanceledException) when (_halt.IsCancellationRequested)
        {
            // The partition goes elsewhere, with what is not done.
        }
        catch (Exception e)
        {
            // Not the handler's: a fault here must be seen, and must not commit what was not done.
            _subscriber.Logger.WorkerFailed(_subscriber.Topic, _subscriber.Group, Partition, e);
        }
    }

    /// <summary>The next event to handle, or null and how long there will be none unless something comes.</summary>
    private Entry? Take(out TimeSpan wait)
    {
        wait = Timeout.InfiniteTimeSpan;
        if (_due.TryPeek(out var parked, out var due))
        {
            var now = _subscriber.Time.GetTimestamp();
            if (due <= now)
            {
                _due.Dequeue();
                return parked.Entries.Peek();
            }

            wait = TimeSpan.FromMilliseconds(Math.Max(1, _subscriber.Time.GetElapsedTime(now, due).TotalMilliseconds));
        }

        while (_ready.TryDequeue(out var entry))
        {
            if (!_parked.TryGetValue(entry.Event.Key, out var waiting)) return entry;
            waiting.Entries.Enqueue(entry);
        }

        return null;
    }

    private async Task HandleAsync(Entry entry)
    {
        var received = entry.Event;
        if (received.Headers.TryGetValue(EventHeaders.OnlyGroup, out var only) && only != _subscriber.Group)
        {
            Done(entry);
            return;
        }

        string? dead = entry.Dead;
        if (dead is null)
        {
            var (handled, failure) = await CallAsync(entry);
            if (failure is null && handled is { Wait: null, Reason: null })
            {
                Done(entry);
                return;
            }

            if (handled.Wait is { } wait)
            {
                _subscriber.Metrics.Retried(_subscriber.Topic, _subscriber.Group, "asked");
                Park(entry, Jitter(wait));
                return;
            }

            dead = handled.Reason;
            if (failure is not null)
            {
                if (++entry.Failures < _subscriber.Options.MaxAttempts)
                {
                    _subscriber.Metrics.Retried(_subscriber.Topic, _subscriber.Group, "failed");
                    _subscriber.Logger.HandlerFailed(
                        received.Type, _subscriber.Topic, Partition, received.Position.Offset, entry.Failures, failure);
                    Park(entry, Backoff(entry.Failures));
                    return;
                }

                dead = $"{failure.GetType().FullName}: {failure.Message}";
            }

            entry.Dead = dead;
        }

        await BuryAsync(entry, dead!);
    }

    private async Task<(Handled Handled, Exception? Failure)> CallAsync(Entry entry)
    {
        var received = entry.Event;
        var (topic, group) = (_subscriber.Topic, _subscriber.Group);
        if (++received.Attempt == 1) _subscriber.Metrics.Consumed(_subscriber.Engine, topic, group);
        using var activity = Start(received);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_cancel.Token);
        using var timer = new CancellationTokenSource(_subscriber.Options.HandlerTimeout, _subscriber.Time);
        using var ends = timer.Token.Register(limit.Cancel);
        var started = _subscriber.Time.GetTimestamp();
        Exception? failure = null;
        Handled handled = default;
        try
        {
            handled = await _subscriber.Handler(received, limit.Token);
        }
        catch (OperationCanceledException) when (_cancel.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested)
        {
            failure = new TimeoutException($"the handler took longer than {_subscriber.Options.HandlerTimeout.TotalSeconds:0.###} s");
        }
        catch (Exception e)
        {
            failure = e;
        }

        if (failure is not null) activity?.SetStatus(ActivityStatusCode.Error, failure.Message);
        _subscriber.Metrics.Processed(
            _subscriber.Engine, topic, group, _subscriber.Time.GetElapsedTime(started), failure?.GetType().FullName);
        return (handled, failure);
    }

    private System.Diagnostics.Activity? Start(ReceivedEvent received)
    {
        ActivityContext.TryParse(
            received.Headers.GetValueOrDefault(EventHeaders.TraceParent), received.Headers.GetValueOrDefault(EventHeaders.TraceState),
            isRemote: true, out var parent);
        var activity = BackplaneTelemetry.Source.StartActivity($"process {received.Topic}", ActivityKind.Consumer, parent);
        if (activity is not { IsAllDataRequested: true }) return activity;
        _subscriber.Describe(activity);
        activity.SetTag(BackplaneTelemetry.Partition, Partition);
        activity.SetTag(BackplaneTelemetry.Offset, received.Position.Offset);
        activity.SetTag(BackplaneTelemetry.BodySize, received.Payload.Length);
        return activity;
    }

    private async Task BuryAsync(Entry entry, string reason)
    {
        try
        {
            await _subscriber.BuryAsync(entry.Event, reason, _cancel.Token);
        }
        catch (Exception e) when (!_cancel.IsCancellationRequested)
        {
            // Neither done nor dropped: it stays where it is until it can be written there.
            _subscriber.Logger.DeadLetterDelayed(_subscriber.Topic, Partition, entry.Event.Position.Offset, e);
            Park(entry, Backoff(_subscriber.Options.MaxAttempts));
            return;
        }

        _subscriber.Metrics.Died(_subscriber.Topic, _subscriber.Group);
        _subscriber.Logger.EventDied(entry.Event.Type, _subscriber.Topic, Partition, entry.Event.Position.Offset, _subscriber.Group, reason);
        Done(entry);
    }

    private void Park(Entry entry, TimeSpan wait)
    {
        lock (_gate)
        {
            var due = _subscriber.Time.GetTimestamp() + (long)(wait.TotalSeconds * _subscriber.Time.TimestampFrequency);
            if (!_parked.TryGetValue(entry.Event.Key, out var parked))
            {
                _parked[entry.Event.Key] = parked = new();
                parked.Entries.Enqueue(entry);
            }

            _due.Enqueue(parked, due);
        }
    }

    private void Done(Entry entry)
    {
        long? position = null;
        bool hadRoom, hasRoom;
        lock (_gate)
        {
            // Cut off meanwhile: another owner will do it again, and this one may not say that it is done.
            if (_abandoned) return;
            entry.IsDone = true;
            if (_parked.TryGetValue(entry.Event.Key, out var parked))
            {
                parked.Entries.Dequeue();
                if (parked.Entries.Count == 0) _parked.Remove(entry.Event.Key);
                else _due.Enqueue(parked, _subscriber.Time.GetTimestamp());
            }

            hadRoom = IsRoom;
            while (_window.TryPeek(out var lowest) && lowest.IsDone)
            {
                _window.Dequeue();
                _bytes -= lowest.Event.Payload.Length;
                position = lowest.Event.Position.Offset + 1;
            }

            hasRoom = IsRoom;
            // Inside the gate, so that nothing is reported once it was abandoned.
            if (position is { } rise) _advanced(rise);
        }

        if (!hadRoom && hasRoom) OnRoom?.Invoke();
    }

    private TimeSpan Backoff(int failures)
    {
        var wait = _subscriber.Options.FirstRetry * Math.Pow(2, Math.Min(failures - 1, 30));
        return Jitter(wait < _subscriber.Options.LastRetry ? wait : _subscriber.Options.LastRetry);
    }

    // What failed together must not come back together.
    private static TimeSpan Jitter(TimeSpan wait) => wait * (0.75 + (Random.Shared.NextDouble() / 2));

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Entry(ReceivedEvent received)
    {
        public ReceivedEvent Event { get; } = received;
        public int Failures { get; set; }
        public string? Dead { get; set; }
        public bool IsDone { get; set; }
    }

    /// <summary>The events of a key whose first has to be tried again.</summary>
    private sealed class Parked
    {
        public Queue<Entry> Entries { get; } = new();
    }
}
