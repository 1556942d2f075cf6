using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>A write that waits for its commit.</summary>
internal abstract class Operation
{
    /// <summary>Text that it brings, bytes.</summary>
    public virtual int Bytes => 0;

    /// <summary>Entries that it appends.</summary>
    public virtual int Entries => 0;

    /// <summary>Puts its rows into the batch and keeps its answer. When it throws, it has put nothing.</summary>
    public abstract void Apply(CommitBatch batch);

    /// <summary>Gives the answer to the caller: only after the commit.</summary>
    public abstract void Complete();

    public abstract void Fail(Exception error);
}

internal abstract class Operation<T> : Operation
{
    // The caller goes on on another thread: the writer's must not run foreign code.
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _answer = default!;

    public Task<T> Task => _done.Task;

    public sealed override void Apply(CommitBatch batch) => _answer = Run(batch);

    public sealed override void Complete() => _done.TrySetResult(_answer);

    public sealed override void Fail(Exception error) => _done.TrySetException(error);

    protected abstract T Run(CommitBatch batch);
}

internal sealed class Append(ConversationShape shape, IReadOnlyList<NewEntry> entries) : Operation<IReadOnlyList<AppendOutcome>>
{
    public override int Entries => entries.Count;

    public override int Bytes
    {
        get
        {
            var bytes = 0;
            for (var i = 0; i < entries.Count; i++) bytes += entries[i].Text.Length;
            return bytes;
        }
    }

    protected override IReadOnlyList<AppendOutcome> Run(CommitBatch batch) => batch.Append(shape, entries);
}

internal sealed class Advance(IReadOnlyList<MemberPosition> positions, DateTimeOffset at)
    : Operation<IReadOnlyList<AdvanceOutcome>>
{
    protected override IReadOnlyList<AdvanceOutcome> Run(CommitBatch batch) => batch.Advance(positions, at);
}

internal sealed class Clear(ConversationId conversation, UserId user, long seq, DateTimeOffset at) : Operation<AdvanceOutcome>
{
    protected override AdvanceOutcome Run(CommitBatch batch) => batch.Clear(conversation, user, seq, at);
}

internal sealed class Set(ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at) : Operation<bool>
{
    protected override bool Run(CommitBatch batch) => batch.Set(conversation, user, settings, at);
}

internal sealed class Hide(ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at) : Operation<bool>
{
    protected override bool Run(CommitBatch batch) => batch.Hide(conversation, user, seqs, at);
}
