using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Push.V1;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Storage;
using EntryKind = WhatsAspire.MessageApi.Storage.EntryKind;
using WireTarget = WhatsAspire.Contracts.Push.V1.PushTarget;

namespace WhatsAspire.MessageApi.Push;

/// <summary>What there is to push to a user about a conversation, and what became of it.</summary>
internal sealed class PushService(IMessageStore store, IDirectory directory)
{
    private const int Page = 50;

    // Bounds the search: after this many entries that nobody is shown, there is none to tell of.
    private const int EntriesLookedAt = 500;

    /// <summary>What holds now: the devices, the unread total if there are any, the summary if the user is a member, and the
    /// newest message to show. Each is read by itself: what changes meanwhile brings an event of its own.</summary>
    public async Task<GetPushReply> GetAsync(UserId user, ConversationId conversation, CancellationToken cancellationToken)
    {
        var reply = new GetPushReply();
        foreach (var target in await directory.ListPushTargetsAsync(user, conversation, cancellationToken)) reply.Targets.Add(ToWire(target));
        // All conversations are read for it: only where there is a device to show it.
        if (reply.Targets.Count > 0)
            foreach (var each in await store.ListConversationsAsync(user, DateTimeOffset.MinValue, cancellationToken))
                reply.Badge += each.UnreadCount;
        if (await store.GetViewAsync(conversation, user, cancellationToken) is not { } view) return reply;

        var group = view.Shape.Kind == ConversationKind.Group ? await directory.FindGroupAsync(conversation, cancellationToken) : null;
        reply.Summary = view.ToWire(user, group is null ? null : new(group.Name, group.MemberCount));
        if (view.UnreadCount == 0 || await FindNewestAsync(view, user, cancellationToken) is not { } entry) return reply;
        reply.MessageId = entry.Id.ToBytes();
        reply.Seq = entry.Seq;
        reply.SenderName = (await directory.FindAccountAsync(entry.Sender, cancellationToken))?.DisplayName ?? "";
        reply.Text = Preview.Of(entry.Text.Span);
        reply.CreatedAtMs = entry.CreatedAt.ToUnixTimeMilliseconds();
        return reply;
    }

    /// <inheritdoc cref="IDirectory.ReportPushAsync"/>
    public Task ReportAsync(
        UserId user, ConversationId conversation, IReadOnlyList<PushReport> reports, CancellationToken cancellationToken) =>
        directory.ReportPushAsync(user, conversation, reports, cancellationToken);

    /// <summary>The newest message after the read position that a person reads, that is still there for this user, and that
    /// he did not write himself; null where there is none among the newest entries.</summary>
    private async Task<LogEntry?> FindNewestAsync(ConversationView view, UserId user, CancellationToken cancellationToken)
    {
        var (conversation, member) = (view.Shape.Id, view.Member);
        // What was said before he came is no news, even where he may read it: his read position begins there.
        var after = Math.Max(member.ReadSeq, member.ClearedSeq);
        var before = long.MaxValue;
        for (var seen = 0; seen < EntriesLookedAt; seen += Page)
        {
            var entries = await store.ReadAsync(conversation, after, before, Page, newestFirst: true, cancellationToken);
            if (entries.Count == 0) return null;
            before = entries[^1].Seq;
            var hidden = await store.ReadHiddenAsync(conversation, user, before - 1, entries[0].Seq + 1, cancellationToken);
            foreach (var entry in entries)
                if (entry.Kind == EntryKind.Text && !entry.Deleted && entry.Sender != user && !hidden.Contains(entry.Seq))
                    return entry;
            if (entries.Count < Page) return null;
        }

        return null;
    }

    private static WireTarget ToWire(Directory.PushTarget target)
    {
        var registration = target.Registration;
        return new()
        {
            DeviceId = registration.Device.ToBytes(),
            Provider = registration.Provider,
            Token = registration.Token,
            Topic = registration.Topic ?? "",
            Sandbox = registration.IsSandbox,
            P256Dh = registration.P256dh ?? "",
            Auth = registration.Auth ?? "",
            HidesContent = registration.HidesContent,
            RegisteredAtMs = registration.RegisteredAt.ToUnixTimeMilliseconds(),
            PushedSeq = target.PushedSeq,
            ClearedSeq = target.ClearedSeq,
        };
    }
}
