using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Where of a redelivery everything has got.</summary>
internal sealed class RedeliveryProgress
{
    /// <summary>Users on edges that have confirmed.</summary>
    public HashSet<(UserId User, string Edge)> Done { get; } = [];

    /// <summary>Users who were connected nowhere, and were handed over to be pushed to.</summary>
    public HashSet<UserId> Pushed { get; } = [];

    /// <summary>Set by each attempt: an edge that lives did not take it.</summary>
    public bool IsRefused { get; set; }

    /// <summary>Set by each attempt: a recipient is connected nowhere.</summary>
    public bool IsMissing { get; set; }
}

/// <summary>Delivers once more what did not get through: reads what each recipient lacks, as it is now and as far as he may
/// see it, and gives it to his edges.</summary>
internal sealed class Redelivery(
    SessionRegistry sessions, EdgeLinks links, ILocalDelivery local, PushOutbox push, MessageApiLink api, IOptions<EdgeOptions> options,
    TimeProvider time)
{
    // Between a change and its failed delivery; clocks of the deployment may differ by less.
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);

    // How long an edge may take to confirm; and for how long one that did not is not asked again, so that the events of others
    // don't wait for it one after the other.
    private static readonly TimeSpan ConfirmTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Avoid = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, long> _silent = new(StringComparer.Ordinal);

    /// <summary>Delivers to all sessions of the recipients that have not had it.</summary>
    /// <param name="failed">What failed.</param>
    /// <param name="failedAt">When.</param>
    /// <param name="progress">What earlier calls have done, and what this one does.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="StackExchange.Redis.RedisException">Or <see cref="TimeoutException"/>: no sessions can be looked
    /// up.</exception>
    /// <exception cref="Grpc.Core.RpcException">MessageApi can't be asked.</exception>
    public async Task DeliverAsync(
        RedeliveryEvent failed, DateTimeOffset failedAt, RedeliveryProgress progress, CancellationToken cancellationToken)
    {
        var users = Recipients(failed);
        var found = await sessions.FindAsync(users);
        (progress.IsRefused, progress.IsMissing) = (false, false);
        for (var i = 0; i < users.Count; i++)
        {
            if (found[i].Count == 0)
            {
                progress.IsMissing = true;
                if (progress.Pushed.Add(users[i])) Push(failed, users[i]);
            }

            var edges = found[i].Select(s => s.EdgeId).Distinct(StringComparer.Ordinal)
                .Where(edge => edge != failed.Served && !progress.Done.Contains((users[i], edge))).ToArray();
            if (edges.Length == 0) continue;
            var events = await EventsAsync(failed, failedAt, users[i], cancellationToken);
            foreach (var edge in edges)
            {
                if (await DeliverAsync(edge, users[i], events, cancellationToken)) progress.Done.Add((users[i], edge));
                else progress.IsRefused = true;
            }
        }
    }

    /// <summary>Whoever lost the delivery may have taken the user for connected.</summary>
    private void Push(RedeliveryEvent failed, UserId user)
    {
        if (failed.ConversationId is not { } conversation) return;
        foreach (var message in failed.Messages ?? [])
            if (message.To.Contains(user)) push.AddMessage(user, conversation, message.Seq);
    }

    private async Task<bool> DeliverAsync(string edge, UserId user, List<LiveEvent> events, CancellationToken cancellationToken)
    {
        if (edge == local.EdgeId)
        {
            foreach (var live in events) local.Deliver(user, live);
            return true;
        }

        // Its lease has ended since: his devices come back elsewhere, and sync.
        if (sessions.FindLease(edge) is not { } lease) return true;
        if (_silent.TryGetValue(edge, out var since))
        {
            if (time.GetElapsedTime(since) < Avoid) return false;
            _silent.TryRemove(edge, out _);
        }

        try
        {
            var confirmed = await Task.WhenAll(events.Select(live => links.SendConfirmedAsync(lease, live.ToDelivery())))
                .WaitAsync(ConfirmTimeout, time, cancellationToken);
            return Array.TrueForAll(confirmed, one => one);
        }
        catch (TimeoutException)
        {
            _silent[edge] = time.GetTimestamp();
            return false;
        }
    }

    private async Task<List<LiveEvent>> EventsAsync(
        RedeliveryEvent failed, DateTimeOffset failedAt, UserId user, CancellationToken cancellationToken)
    {
        var events = new List<LiveEvent>();
        foreach (var device in failed.LoggedOut ?? [])
            if (device.UserId == user) events.Add(new() { Users = [user], Kind = DeliveryKind.LoggedOut, CloseDevice = device.DeviceId });
        if (failed.ConversationId is not { } conversation) return events;

        var lacked = (failed.Messages ?? []).Where(m => m.To.Contains(user)).ToDictionary(m => m.Seq);
        if (lacked.Count > 0) await AddMessagesAsync(events, conversation, user, lacked, cancellationToken);
        foreach (var receipt in failed.Receipts ?? [])
        {
            if (!receipt.To.Contains(user)) continue;
            events.Add(new()
            {
                Users = [user],
                Kind = DeliveryKind.Receipt,
                Frame = FrameWriter.Receipt(
                    conversation.ToBytes().Span, receipt.UserId, receipt.DeliveredSeq, receipt.ReadSeq, receipt.At.ToUnixTimeMilliseconds()),
                Conversation = conversation,
                DeliveredSeq = receipt.DeliveredSeq,
                ReadSeq = receipt.ReadSeq,
            });
        }

        if (failed.Changed?.Contains(user) is true) await AddSummaryAsync(events, conversation, user, failedAt - Overlap, cancellationToken);
        return events;
    }

    private async Task AddMessagesAsync(
        List<LiveEvent> events, ConversationId conversation, UserId user, Dictionary<long, UndeliveredMessage> lacked,
        CancellationToken cancellationToken)
    {
        // The user's own view: what he may not see, or has deleted for himself, is not in it.
        var first = lacked.Keys.Min();
        var request = new PullRequest { UserId = user.ToBytes() };
        request.Ranges.Add(new Contracts.Messaging.V1.PullRange
        {
            ConversationId = conversation.ToBytes(),
            After = first - 1,
            Limit = (int)Math.Min(lacked.Keys.Max() - first + 1, Limits.PullMessages),
        });
        using var call = api.Client.Pull(request, deadline: Deadline(), cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken))
            foreach (var entry in call.ResponseStream.Current.Entries)
            {
                if (!lacked.TryGetValue(entry.Seq, out var message)) continue;
                events.Add(new()
                {
                    Users = [user],
                    Kind = DeliveryKind.Message,
                    Frame = FrameWriter.Message(entry, entry.Text.Span),
                    Conversation = conversation,
                    Seq = entry.Seq,
                    Except = message.Except,
                });
            }
    }

    private async Task AddSummaryAsync(
        List<LiveEvent> events, ConversationId conversation, UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var id = conversation.ToBytes();
        using var call = api.Client.ListChanged(
            new() { UserId = user.ToBytes(), SinceMs = since.ToUnixTimeMilliseconds() }, deadline: Deadline(), cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken))
            foreach (var summary in call.ResponseStream.Current.Summaries)
            {
                if (summary.ConversationId != id) continue;
                events.Add(new()
                {
                    Users = [user],
                    Kind = DeliveryKind.Conversation,
                    Frame = FrameWriter.Conversation(summary, null),
                    Conversation = conversation,
                });
            }
    }

    private DateTime Deadline() => time.GetUtcNow().UtcDateTime + options.Value.OperationTimeout;

    private static List<UserId> Recipients(RedeliveryEvent failed)
    {
        var users = new HashSet<UserId>();
        foreach (var message in failed.Messages ?? []) users.UnionWith(message.To);
        foreach (var receipt in failed.Receipts ?? []) users.UnionWith(receipt.To);
        users.UnionWith(failed.Changed ?? []);
        foreach (var device in failed.LoggedOut ?? []) users.Add(device.UserId);
        return [.. users];
    }
}
