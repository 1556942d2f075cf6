using System.Text.Json;
using Grpc.Core;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;
using WhatsAspire.Contracts.Push.V1;

namespace WhatsAspire.PushWorker;

/// <summary>Does the work of one event: looks at what there is to say now and to which devices, says it, and has it noted for
/// each device how far it was told. A crash between a provider's answer and the note repeats that one notification, and the
/// device shows one all the same, since the later takes the place of the earlier; a crash anywhere else repeats nothing and
/// loses nothing.</summary>
internal sealed class PushHandler(
    PushState.PushStateClient api, PushDelivery delivery, PushRetries retries, SessionRegistry sessions, PushedMarks marks,
    PushWorkerMetrics metrics, IOptions<PushOptions> options, TimeProvider time, ILogger<PushHandler> logger)
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LastWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    /// <inheritdoc cref="QueueHandler"/>
    public async ValueTask<Handled> HandleAsync(ReceivedEvent received, CancellationToken cancellationToken)
    {
        if (received.Type != PushEvent.Type || Parse(received.Payload.Span) is not { } push)
        {
            metrics.Looked("unreadable");
            return Handled.Dead($"no {PushEvent.Type} that this version can read");
        }

        // A person had it tried once more: its day begins anew.
        if (received.Headers.ContainsKey(EventHeaders.ReplayOf)) push = push with { FirstTriedAt = null, Tries = 0 };
        var now = time.GetUtcNow();
        var due = push.NotBefore ?? received.PublishedAt + options.Value.CoalesceWindow;
        if (due > now) return Handled.RetryLater(Clamp(due - now, push.NotBefore is null ? options.Value.CoalesceWindow : LongestWait));
        try
        {
            return push.IsRead ? await ClearAsync(push, cancellationToken) : await PushAsync(push, received.PublishedAt, cancellationToken);
        }
        catch (Exception e) when (e is QueueUnavailableException or RpcException { StatusCode: not StatusCode.InvalidArgument })
        {
            // Nothing that was said is said again: each device has its note, or is looked at anew.
            logger.PushWaits(e is RpcException rpc ? rpc.Status.Detail : e.Message);
            metrics.Looked("delayed");
            return Handled.RetryLater(Clamp(FirstWait * Math.Pow(2, Math.Min(received.Attempt, 10)), LastWait));
        }
    }

    private async Task<Handled> PushAsync(PushEvent push, DateTimeOffset publishedAt, CancellationToken cancellationToken)
    {
        var live = await LiveDevicesAsync(push, publishedAt);
        if (live is { Count: > 0 }) return Looked("online");
        if (live is not null && !sessions.IsWhole && IsYoung(publishedAt))
        {
            // Edges may still be registering what Redis forgot: who is not found may be connected all the same.
            metrics.Looked("delayed");
            return Handled.RetryLater(FirstWait);
        }

        var state = await GetAsync(push, cancellationToken);
        if (state.Summary is null || state.Summary.Left) return Looked("no_member");
        if (state.Summary.MutedUntilMs > time.GetUtcNow().ToUnixTimeMilliseconds()) return Looked("muted");
        if (state.Seq == 0) return Looked("read");
        if (state.Summary.DeliveredSeq >= state.Seq) return Looked("delivered");
        var targets = Targets(push, state, target => target.PushedSeq < state.Seq);
        if (targets.Count == 0) return Looked(state.Targets.Count == 0 ? "no_device" : "pushed");

        metrics.Looked("pushed_now");
        var told = await delivery.SendAsync(targets, target => ToNotification(push.ConversationId, target, state), cancellationToken);
        var createdAt = DateTimeOffset.FromUnixTimeMilliseconds(state.CreatedAtMs);
        foreach (var one in told)
            if (one.Result is PushResult.Accepted) metrics.Accepted(one.Target.Provider, time.GetUtcNow() - createdAt);
        await ReportAsync(push, told, target => new() { PushedSeq = state.Seq }, cancellationToken);
        if (told.Exists(one => one.Result is PushResult.Accepted)) await MarkAsync(push, pushed: true);
        return await AgainAsync(push, told, cancellationToken);
    }

    private async Task<Handled> ClearAsync(PushEvent push, CancellationToken cancellationToken)
    {
        var state = await GetAsync(push, cancellationToken);
        if (state.Summary is null) return Looked("no_member");
        // A connected device hears of the read itself.
        var live = await LiveDevicesAsync(push, time.GetUtcNow() - options.Value.SessionsPatience) ?? [];
        var targets = Targets(push, state, target => target.PushedSeq > target.ClearedSeq
            && target.PushedSeq <= state.Summary.ReadSeq && !live.Contains(target.DeviceId.ToDeviceId()));
        if (targets.Count > 0)
        {
            metrics.Looked("cleared_now");
            var told = await delivery.SendAsync(targets, target => Silent(push.ConversationId, target, state), cancellationToken);
            await ReportAsync(push, told, target => new() { ClearedSeq = target.PushedSeq }, cancellationToken);
            // What can't be taken away in a day is not worth a person's look.
            told.RemoveAll(one => one.Result is PushResult.Refused || (one.Result is PushResult.TryLater && retries.IsOver(push)));
            return await AgainAsync(push, told, cancellationToken);
        }

        if (!state.Targets.Any(target => target.PushedSeq > state.Summary.ReadSeq)) await MarkAsync(push, pushed: false);
        return Looked("nothing_shown");
    }

    private static List<PushTarget> Targets(PushEvent push, GetPushReply state, Predicate<PushTarget> needs) =>
        [.. state.Targets.Where(target => needs(target) && (push.Device is null || target.DeviceId.ToDeviceId() == push.Device))];

    /// <summary>The devices that could not be told are tried again, each by itself; one that never can be is a dead letter.</summary>
    private async Task<Handled> AgainAsync(PushEvent push, List<Told> told, CancellationToken cancellationToken)
    {
        foreach (var (target, result) in told)
        {
            var (reason, asked) = result switch
            {
                PushResult.TryLater later => (later.Reason, later.After),
                PushResult.Refused refused => (refused.Reason, null),
                _ => (null, default(TimeSpan?)),
            };
            if (reason is null) continue;
            if (push.Device is not null && (result is PushResult.Refused || retries.IsOver(push)))
                return Handled.Dead($"{target.Provider}: {reason}, after {push.Tries + 1} tries since {push.FirstTriedAt:O}");
            await retries.AddAsync(push, target.DeviceId.ToDeviceId(), asked, cancellationToken);
        }

        return Handled.Done;
    }

    private async Task<GetPushReply> GetAsync(PushEvent push, CancellationToken cancellationToken) => await api.GetPushAsync(
        new() { UserId = push.UserId.ToBytes(), ConversationId = push.ConversationId.ToBytes() },
        deadline: Deadline(), cancellationToken: cancellationToken);

    /// <param name="push">For whom.</param>
    /// <param name="told">What became of each device.</param>
    /// <param name="accepted">What is noted for one that was told.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    private async Task ReportAsync(
        PushEvent push, List<Told> told, Func<PushTarget, PushOutcome> accepted, CancellationToken cancellationToken)
    {
        var report = new ReportPushRequest { UserId = push.UserId.ToBytes(), ConversationId = push.ConversationId.ToBytes() };
        foreach (var (target, result) in told)
        {
            var outcome = result switch
            {
                PushResult.Accepted => accepted(target),
                // Without a time of the provider's own: dead when it was sent to, so not if it was registered again since.
                PushResult.DeadToken dead => new() { DeadAtMs = dead.Since?.ToUnixTimeMilliseconds() ?? target.RegisteredAtMs },
                _ => null,
            };
            if (outcome is null) continue;
            (outcome.DeviceId, outcome.Token) = (target.DeviceId, target.Token);
            report.Outcomes.Add(outcome);
        }

        if (report.Outcomes.Count > 0) await api.ReportPushAsync(report, deadline: Deadline(), cancellationToken: cancellationToken);
    }

    /// <summary>The user's connected devices; null while Redis does not tell and it is not worth waiting any longer.</summary>
    /// <exception cref="QueueUnavailableException">Redis does not tell yet.</exception>
    private async Task<HashSet<DeviceId>?> LiveDevicesAsync(PushEvent push, DateTimeOffset publishedAt)
    {
        try
        {
            return [.. (await sessions.FindAsync([push.UserId]))[0].Select(session => session.Device)];
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return IsYoung(publishedAt) ? throw new QueueUnavailableException("Redis does not answer", e) : null;
        }
    }

    private bool IsYoung(DateTimeOffset publishedAt) => time.GetUtcNow() - publishedAt < options.Value.SessionsPatience;

    private async Task MarkAsync(PushEvent push, bool pushed)
    {
        try
        {
            await (pushed ? marks.AddAsync(push.UserId, push.ConversationId) : marks.RemoveAsync(push.UserId, push.ConversationId));
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            logger.MarkNotKept(e.Message);
        }
    }

    private PushNotification ToNotification(ConversationId conversation, PushTarget target, GetPushReply state) => new()
    {
        Conversation = conversation,
        Seq = state.Seq,
        Message = state.MessageId.ToMessageId(),
        Title = target.HidesContent ? options.Value.HiddenTitle : IsGroup(state) ? state.Summary.Name : state.SenderName,
        Body = target.HidesContent ? options.Value.HiddenBody : IsGroup(state) ? $"{state.SenderName}: {state.Text}" : state.Text,
        Badge = state.Badge,
        ExpiresAt = time.GetUtcNow() + options.Value.Expiry,
    };

    private static bool IsGroup(GetPushReply state) => state.Summary.Name.Length > 0;

    private PushNotification Silent(ConversationId conversation, PushTarget target, GetPushReply state) => new()
    {
        Conversation = conversation,
        Seq = target.PushedSeq,
        IsSilent = true,
        Badge = state.Badge,
        ExpiresAt = time.GetUtcNow() + options.Value.Expiry,
    };

    private Handled Looked(string outcome)
    {
        metrics.Looked(outcome);
        return Handled.Done;
    }

    private DateTime Deadline() => (time.GetUtcNow() + CallTimeout).UtcDateTime;

    private static TimeSpan Clamp(TimeSpan wait, TimeSpan most) =>
        wait > most ? most : wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : wait;

    private static PushEvent? Parse(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, EventJson.Default.PushEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
