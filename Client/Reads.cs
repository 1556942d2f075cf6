using System.Globalization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>What was read, until the server knows. Of several in one conversation only the furthest is sent. Not safe for
/// concurrent use.</summary>
internal sealed class Reads
{
    private readonly Dictionary<ConversationId, State> _states = [];
    private int _next;

    public bool IsEmpty => _states.Count == 0;

    public Task Add(ConversationId conversation, long seq)
    {
        if (!_states.TryGetValue(conversation, out var state)) _states.Add(conversation, state = new());
        var waiter = new Waiter(seq, new(TaskCreationOptions.RunContinuationsAsynchronously));
        state.Waiters.Add(waiter);
        return waiter.Done.Task;
    }

    /// <summary>The next frame that is due, which is then on its way.</summary>
    public ReadFrame? Next(long now)
    {
        foreach (var (conversation, state) in _states)
        {
            if (state.Ref is not null || state.NotBefore > now) continue;
            state.Ref = "r" + (++_next).ToString(CultureInfo.InvariantCulture);
            state.Sent = state.Waiters.Max(w => w.Seq);
            return new() { Ref = state.Ref, ConversationId = conversation, Seq = state.Sent };
        }

        return null;
    }

    /// <summary>When the first of those that were refused for now is due again.</summary>
    public long? NextDue(long now)
    {
        long? due = null;
        foreach (var state in _states.Values)
            if (state.Ref is null && state.NotBefore > now) due = Math.Min(due ?? long.MaxValue, state.NotBefore);
        return due;
    }

    /// <summary>The server answered what holds now.</summary>
    public void Answered(string reference)
    {
        if (Find(reference) is not { } found) return;
        End(found.Id, found.State, w => w.Seq <= found.State.Sent, null);
    }

    /// <summary>The server refused it.</summary>
    /// <returns>Whether it was a read.</returns>
    public bool Refused(string reference, ChatException error, long retryAt)
    {
        if (Find(reference) is not { } found) return false;
        if (error.Retryable)
        {
            (found.State.Ref, found.State.NotBefore) = (null, retryAt);
            return true;
        }

        End(found.Id, found.State, w => w.Seq <= found.State.Sent, error);
        return true;
    }

    public void ConnectionLost()
    {
        foreach (var state in _states.Values) (state.Ref, state.NotBefore) = (null, 0);
    }

    public void Cancel(Exception? error)
    {
        foreach (var waiter in _states.Values.SelectMany(s => s.Waiters))
        {
            if (error is null) waiter.Done.TrySetCanceled();
            else waiter.Done.TrySetException(error);
        }

        _states.Clear();
    }

    private (ConversationId Id, State State)? Find(string reference)
    {
        foreach (var (id, state) in _states)
            if (state.Ref == reference) return (id, state);
        return null;
    }

    private void End(ConversationId id, State state, Predicate<Waiter> which, Exception? error)
    {
        foreach (var waiter in state.Waiters.FindAll(which))
        {
            if (error is null) waiter.Done.TrySetResult();
            else waiter.Done.TrySetException(error);
        }

        state.Waiters.RemoveAll(which);
        state.Ref = null;
        if (state.Waiters.Count == 0) _states.Remove(id);
    }

    private sealed record Waiter(long Seq, TaskCompletionSource Done);

    private sealed class State
    {
        public List<Waiter> Waiters { get; } = [];
        public string? Ref { get; set; }
        public long Sent { get; set; }
        public long NotBefore { get; set; }
    }
}
