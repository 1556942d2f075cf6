namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>A call that appends, while it waits and is worked on.</summary>
internal sealed class PendingAppend
{
    // The caller goes on on another thread: the lane must not run foreign code.
    private readonly TaskCompletionSource<IReadOnlyList<AppendOutcome>> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AppendOutcome?[] _outcomes;
    private int _open;

    public PendingAppend(ConversationShape shape, IReadOnlyList<NewEntry> entries)
    {
        (Shape, _outcomes, _open) = (shape, new AppendOutcome?[entries.Count], entries.Count);
        Slots = new Slot[entries.Count];
        for (var i = 0; i < Slots.Length; i++) Slots[i] = new Slot(this, i, Floor(entries[i]));
    }

    public ConversationShape Shape { get; }

    public Slot[] Slots { get; }

    public Task<IReadOnlyList<AppendOutcome>> Task => _done.Task;

    public bool IsOver => _done.Task.IsCompleted;

    public void Fail(Exception error) => _done.TrySetException(error);

    private void Answer(int index, AppendOutcome outcome)
    {
        _outcomes[index] = outcome;
        if (--_open == 0) _done.TrySetResult(_outcomes!);
    }

    /// <summary>Times are stored to the millisecond: the first answer must not know more than the later ones.</summary>
    private static NewEntry Floor(NewEntry entry) => entry with { CreatedAt = Times.Floor(entry.CreatedAt) };

    /// <summary>One entry of the call.</summary>
    internal sealed class Slot(PendingAppend call, int index, NewEntry entry)
    {
        public PendingAppend Call => call;

        public NewEntry Entry => entry;

        /// <summary>Its client message id is noted.</summary>
        public bool IsClaimed { get; set; }

        /// <summary>A try of ours to append it ended without an answer: if it is in the log, it may be by that.</summary>
        public bool WasTried { get; set; }

        public AppendOutcome? Outcome { get; private set; }

        public bool IsOpen => Outcome is null && !call.IsOver;

        public void Answer(AppendOutcome outcome)
        {
            Outcome = outcome;
            call.Answer(index, outcome);
        }
    }
}
