using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts.Events;
using WhatsAspire.PushGateways;
using WhatsAspire.ServiceDefaults;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>The whole worker on the embedded queue and on gateways, without Redis, and with a MessageApi that says what the test
/// wants.</summary>
[Trait("Requirement", "R31")]
[Trait("Requirement", "R32")]
public sealed class WorkerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly TestFolder _folder = new();
    private readonly ScriptedState _state = new();
    private PushGatewayServer _gateway = null!;
    private WebApplication? _api;
    private WebApplication? _worker;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IEventQueue Queue => _worker!.Services.GetRequiredService<IEventQueue>();

    public async ValueTask InitializeAsync()
    {
        _gateway = await PushGatewayServer.StartAsync(cancellationToken: Cancel);
        await GatewayFiles.WriteAsync(_gateway, _folder.Path, Cancel);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = _folder.Path });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(_state);
        _api = builder.Build();
        _api.MapGrpcService<ScriptedState>();
        await _api.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_worker is not null) await _worker.DisposeAsync();
        if (_api is not null) await _api.DisposeAsync();
        await _gateway.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_device_that_could_not_be_told_is_tried_again_by_itself_and_the_others_are_not()
    {
        var (one, other) = (NewPhone(), NewPhone());
        _gateway.Script.For(other.Token, Behaviour.Refuse("TooManyRequests"), times: 1);
        await StartAsync();

        _state.Newest(1);
        await PublishAsync(1);

        await _gateway.UntilAsync(push => push.Token == other.Token, Patience, Cancel);
        Assert.Single(_gateway.Received, push => push.Token == one.Token);
        await UntilAsync(() => _state.Reported.Count == 2, "both devices have their notes");
        Assert.All(_state.Reported, outcome => Assert.Equal(1, outcome.PushedSeq));
    }

    [Fact]
    public async Task What_can_not_be_sent_for_the_time_to_give_up_is_a_dead_letter_that_can_be_sent_again()
    {
        var phone = NewPhone();
        _gateway.Script.For(phone.Token, Behaviour.Refuse("TooManyRequests"), times: 2);
        await StartAsync(("Push:GiveUpAfter", "00:00:01"));
        _state.Newest(1);
        await PublishAsync(1);

        var letter = await DeadLetterAsync("push.seconds");
        Assert.StartsWith("apns: TooManyRequests, after 2 tries", letter.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(_gateway.Received, push => push.Token == phone.Token);

        await Queue.DeadLetters.ReplayAsync("push.seconds", letter, Cancel);
        await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
    }

    [Fact]
    public async Task What_the_provider_would_never_take_is_tried_once_more_and_then_a_dead_letter()
    {
        var phone = NewPhone();
        _gateway.Script.For(phone.Token, Behaviour.Refuse("TopicDisallowed"));
        await StartAsync();
        _state.Newest(1);
        await PublishAsync(1);

        Assert.StartsWith("apns: TopicDisallowed, after 2 tries", (await DeadLetterAsync("push.seconds")).Reason, StringComparison.Ordinal);
        Assert.Equal(2, _gateway.Answered.Count(request => request.Token == phone.Token));
    }

    [Fact]
    public async Task A_dead_token_is_reported_with_the_provider_s_time_and_is_no_failure()
    {
        var phone = NewPhone();
        var since = DateTimeOffset.FromUnixTimeMilliseconds(1_790_000_000_000);
        _gateway.Script.For(phone.Token, Behaviour.Refuse("Unregistered", since: since));
        await StartAsync();
        _state.Newest(1);
        await PublishAsync(1);

        await UntilAsync(() => _state.Reported.Count == 1, "the token is reported");
        Assert.Equal(since.ToUnixTimeMilliseconds(), _state.Reported[0].DeadAtMs);
        Assert.Equal(0, _state.Reported[0].PushedSeq);
    }

    [Fact]
    public async Task Events_that_come_twice_or_late_say_nothing_that_was_said()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.Newest(3);
        await PublishAsync(1);
        await PublishAsync(2);
        await PublishAsync(3);
        await PublishAsync(3);
        await UntilAsync(() => _state.Reported.Count == 1, "the first is noted");
        _state.Newest(4);
        await PublishAsync(4);

        await _gateway.UntilAsync(push => push.Seq == 4, Patience, Cancel);
        Assert.Equal([3, 4], _gateway.Received.Where(push => push.Token == phone.Token).Select(push => push.Seq!.Value));
    }

    [Fact]
    public async Task What_was_delivered_or_read_meanwhile_is_not_pushed()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.Newest(1);
        _state.Delivered(1);
        await PublishAsync(1);
        _state.Newest(2);
        await PublishAsync(2);

        await _gateway.UntilAsync(push => push.Seq == 2, Patience, Cancel);
        Assert.Single(_gateway.Received, push => push.Token == phone.Token);
    }

    [Fact]
    public async Task A_read_takes_away_what_was_pushed_once()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.Newest(2);
        await PublishAsync(2);
        await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
        await UntilAsync(() => _state.Reported.Count == 1, "it is noted");
        _state.Read(2);
        await PublishAsync(2, isRead: true);
        await PublishAsync(2, isRead: true);

        var cleared = await _gateway.UntilAsync(push => push.IsSilent, Patience, Cancel);
        Assert.Equal(2, cleared.Seq);
        await UntilAsync(() => _state.Reported.Count == 2, "it is noted");
        Assert.Equal(2, _state.Reported[1].ClearedSeq);
        _state.Newest(3);
        await PublishAsync(3);
        await _gateway.UntilAsync(push => push.Seq == 3, Patience, Cancel);
        Assert.Equal(3, _gateway.Received.Count);
    }

    [Fact]
    public async Task Who_muted_the_conversation_is_not_told_and_is_told_again_when_the_time_is_over()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.Newest(1);
        _state.See(summary => summary.MutedUntilMs = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds());
        await PublishAsync(1);
        await LookedAtAsync(1);
        _state.See(summary => summary.MutedUntilMs = 1);
        _state.Newest(2);
        await PublishAsync(2);

        await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
        Assert.Equal(2, Assert.Single(_gateway.Received).Seq);
    }

    [Fact]
    public async Task Who_left_the_group_is_not_told()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.Newest(1);
        _state.See(summary => summary.Left = true);
        await PublishAsync(1);
        await LookedAtAsync(1);
        _state.See(summary => summary.Left = false);
        _state.Newest(2);
        await PublishAsync(2);

        await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
        Assert.Equal(2, Assert.Single(_gateway.Received).Seq);
    }

    [Fact]
    public async Task A_groups_notification_has_its_name_and_says_who_wrote()
    {
        var phone = NewPhone();
        await StartAsync();
        _state.See(summary => summary.Name = "Friends");
        _state.Newest(1);
        await PublishAsync(1);

        var push = await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
        Assert.Equal(("Friends", "Ann: Are you there?"), (push.Title, push.Body));
    }

    [Fact]
    public async Task A_MessageApi_that_does_not_answer_only_delays_it()
    {
        var phone = NewPhone();
        _state.Failures = 3;
        await StartAsync();
        _state.Newest(1);
        await PublishAsync(1);

        await _gateway.UntilAsync(push => push.Token == phone.Token, Patience, Cancel);
    }

    [Fact]
    public async Task An_event_that_can_t_be_read_is_a_dead_letter()
    {
        await StartAsync();
        await Queue.PublishAsync(PushEvent.Topic, new() { Key = "k", Type = PushEvent.Type, Payload = "{"u8.ToArray() }, Cancel);

        Assert.Contains("can read", (await DeadLetterAsync(PushEvent.Topic)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_metrics_are_what_they_always_were() => Assert.Equal(
        ["WhatsAspire.PushWorker", "whatsaspire.push.circuit_opened", "whatsaspire.push.events", "whatsaspire.push.latency", "whatsaspire.push.results"],
        new[] { PushTelemetry.Name, PushTelemetry.CircuitOpened, PushTelemetry.Events, PushTelemetry.Latency, PushTelemetry.Results });

    private PushAddress NewPhone()
    {
        var phone = new PushAddress(Contracts.DeviceId.New(), PushProviders.Apns, _gateway.NewApnsToken());
        _state.Add(phone);
        return phone;
    }

    private async Task StartAsync(params (string Name, string Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = _folder.Path });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            // Nobody listens there: everybody is taken for not connected, at once.
            ["ConnectionStrings:redis"] = "127.0.0.1:1,connectTimeout=100,connectRetry=0",
            ["Push:SessionsPatience"] = "00:00:00",
            ["Push:CoalesceWindow"] = "00:00:00",
            ["Push:SettingsPath"] = _folder.File(GatewayFiles.Settings),
            ["Queue:Path"] = _folder.File("queue.db"),
            ["services:message-api:grpc:0"] = _api!.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(),
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(setting => setting.Name, setting => (string?)setting.Value));
        builder.AddServiceDefaults();
        builder.AddBackplane();
        builder.AddQueue();
        builder.AddPushSenders();
        builder.AddPushWorker();
        _worker = builder.Build();
        await _worker.StartAsync(Cancel);
    }

    private Task<EventPosition> PublishAsync(long seq, bool isRead = false) => Queue.PublishAsync(PushEvent.Topic, new()
    {
        Key = _state.User.ToString(),
        Type = PushEvent.Type,
        Payload = JsonSerializer.SerializeToUtf8Bytes(
            new PushEvent { UserId = _state.User, ConversationId = _state.Conversation, Seq = seq, IsRead = isRead }, EventJson.Default.PushEvent),
    }, Cancel);

    /// <summary>Waits until so many events were looked at: those of a user one after the other.</summary>
    private Task LookedAtAsync(int events) => UntilAsync(() => _state.Asked >= events, $"{events} events are looked at");

    /// <summary>The topic's one open dead letter, once there is one.</summary>
    private async Task<DeadLetter> DeadLetterAsync(string topic)
    {
        IReadOnlyList<DeadLetter> letters = [];
        await UntilAsync(
            async () => (letters = (await Queue.DeadLetters.ListAsync(topic, null, 10, Cancel)).Letters).Count > 0, $"{topic} has a dead letter");
        return Assert.Single(letters);
    }

    private static Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    /// <summary>For what nothing signals.</summary>
    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience) throw new TimeoutException($"Waited {Patience} until {what}.");
            await timer.WaitForNextTickAsync(Cancel);
        }
    }
}
