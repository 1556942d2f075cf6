using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

/// <summary>What every <see cref="IMessageStore"/> must do. An adapter's test class derives from it and says how its
/// store is opened. Each test has a store to itself, or users and conversations that no other test has.</summary>
public abstract partial class MessageStoreConformance : IAsyncLifetime
{
    /// <summary>Some time; the store has no clock of its own.</summary>
    protected static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private IMessageStore? _store;

    /// <summary>Opens the store upon what it held when it was last closed in this test; empty at first.</summary>
    protected abstract Task<IMessageStore> OpenAsync();

    /// <summary>Closes what <see cref="OpenAsync"/> opened.</summary>
    protected virtual async Task CloseAsync(IMessageStore store)
    {
        if (store is IAsyncDisposable disposable) await disposable.DisposeAsync();
    }

    protected IMessageStore Store => _store ?? throw new InvalidOperationException("the store is not open");

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private UserId Alice { get; } = UserId.New();
    private UserId Bob { get; } = UserId.New();
    private ConversationShape Chat => ConversationShape.Direct(Alice, Bob);

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await DisposeCoreAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the store. Override to remove what the test left, after calling this.</summary>
    protected virtual async ValueTask DisposeCoreAsync()
    {
        if (Interlocked.Exchange(ref _store, null) is { } store) await CloseAsync(store);
    }

    protected async Task RestartAsync()
    {
        await CloseAsync(Store);
        _store = null;
        _store = await OpenAsync();
    }

    protected static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

    protected static NewEntry Text(UserId sender, string text, double at = 0, string? key = null, MessageId? id = null) => new()
    {
        Id = id ?? new(Guid.NewGuid()),
        Sender = sender,
        ClientMessageId = key ?? Guid.NewGuid().ToString("N"),
        Kind = EntryKind.Text,
        Text = Encoding.UTF8.GetBytes(text),
        CreatedAt = At(at),
        ContentHash = HashOf(text),
    };

    protected static NewEntry System(UserId sender, double at = 0) =>
        Text(sender, "", at) with { Kind = EntryKind.System, Text = default };

    protected static NewEntry Delete(UserId sender, LogEntry target, double at = 0)
    {
        ArgumentNullException.ThrowIfNull(target);
        return Text(sender, "", at) with
        {
            Kind = EntryKind.Delete,
            Text = default,
            TargetSeq = target.Seq,
            Target = target.Id,
            ContentHash = HashOf("delete " + target.Id),
        };
    }

    protected static string TextOf(LogEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return Encoding.UTF8.GetString(entry.Text.Span);
    }

    /// <summary>Asserts that two answers say the same, whatever types of lists they are made of.</summary>
    protected static void Same<T>(T expected, T actual, [CallerArgumentExpression(nameof(actual))] string what = "")
    {
        var (e, a) = (JsonSerializer.Serialize(expected), JsonSerializer.Serialize(actual));
        Assert.True(e == a, $"{what}\nexpected {e}\nactual   {a}");
    }

    /// <summary>FNV-1a: any hash does, but the same in every process.</summary>
    private static ulong HashOf(string text)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in Encoding.UTF8.GetBytes(text)) hash = unchecked((hash ^ b) * 1099511628211UL);
        return hash;
    }

    private async Task<AppendOutcome> AppendAsync(NewEntry entry, ConversationShape? chat = null) =>
        Assert.Single(await Store.AppendAsync(chat ?? Chat, [entry], Token));

    private async Task<LogEntry> SendAsync(UserId sender, string text, double at = 0)
    {
        var outcome = await AppendAsync(Text(sender, text, at));
        Assert.Equal(AppendStatus.Appended, outcome.Status);
        return outcome.Entry;
    }

    private async Task<IReadOnlyList<LogEntry>> LogAsync(ConversationShape? chat = null) =>
        await Store.ReadAsync((chat ?? Chat).Id, 0, long.MaxValue, 1_000, newestFirst: false, Token);

    private async Task<AdvanceOutcome> AdvanceAsync(UserId user, long delivered, long read, double at = 0, ConversationShape? chat = null) =>
        Assert.Single(await Store.AdvanceAsync(user, [new((chat ?? Chat).Id, delivered, read)], At(at), Token));

    private async Task<ConversationView> ViewAsync(UserId user, ConversationShape? chat = null)
    {
        var view = await Store.GetViewAsync((chat ?? Chat).Id, user, Token);
        Assert.NotNull(view);
        return view;
    }

    private async Task<MemberState> MemberAsync(UserId user, ConversationShape? chat = null)
    {
        var member = await Store.GetMemberAsync((chat ?? Chat).Id, user, Token);
        Assert.NotNull(member);
        return member;
    }
}
