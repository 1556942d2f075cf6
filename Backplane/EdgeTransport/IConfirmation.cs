namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>Who wants to know whether an edge has a delivery.</summary>
internal interface IConfirmation
{
    /// <summary>Looks after a failure by itself; else the delivery is redelivered.</summary>
    bool OwnsFailures { get; }

    /// <summary>Called once. Must not block.</summary>
    /// <param name="confirmed">False: the edge may have it all the same.</param>
    /// <param name="users">For how many it was.</param>
    void Set(bool confirmed, int users);
}

/// <summary>Waits for it.</summary>
internal sealed class Awaited : IConfirmation
{
    private readonly TaskCompletionSource<bool> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<bool> Task => _end.Task;

    public bool OwnsFailures => true;

    public void Set(bool confirmed, int users) => _end.TrySetResult(confirmed);
}

/// <summary>Measures how long a group's entry took from its append to the last edge.</summary>
/// <param name="metrics">Where to.</param>
/// <param name="group">The entry.</param>
/// <param name="time">The clock.</param>
internal sealed class DirectFanout(DeliveryMetrics metrics, GroupEntry group, TimeProvider time) : IConfirmation
{
    // One for the process that sends: the others may all confirm before the last was told.
    private int _left = 1;
    private volatile bool _failed;

    public bool OwnsFailures => false;

    /// <summary>So many members are connected to this process.</summary>
    public void Here(int users)
    {
        if (users > 0) metrics.Delivered(FanoutPath.Direct, users);
    }

    /// <summary>Another edge is being told.</summary>
    public void Tell() => Interlocked.Increment(ref _left);

    /// <summary>All edges have been told.</summary>
    public void Told(int edges)
    {
        metrics.Called(FanoutPath.Direct, edges);
        End();
    }

    public void Set(bool confirmed, int users)
    {
        if (confirmed) metrics.Delivered(FanoutPath.Direct, users);
        else _failed = true;
        End();
    }

    private void End()
    {
        // What failed is redelivered, which takes its own time.
        if (Interlocked.Decrement(ref _left) == 0 && !_failed) metrics.Completed(FanoutPath.Direct, time.GetUtcNow() - group.StoredAt, group.Members);
    }
}
