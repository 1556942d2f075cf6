using System.Net;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Push.V1;
using WhatsAspire.MessageApi.Push;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Users.Tests;

/// <summary>What the PushWorker is told, and what it tells.</summary>
[Trait("Requirement", "R31")]
public sealed class PushStateTests : IAsyncLifetime
{
    private TestApi _api = null!;
    private SignedIn _phone = null!;
    private UserId _ann;
    private UserId _bob;
    private int _sent;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IMessageStore Store => _api.Services.GetRequiredService<IMessageStore>();
    private PushState.PushStateClient Worker => new(_api.Grpc);
    private ConversationShape Chat => ConversationShape.Direct(_ann, _bob);

    /// <summary>Ann has one phone that is registered; Bob has an account.</summary>
    public async ValueTask InitializeAsync()
    {
        _api = await TestApi.StartAsync(map: app => app.MapPush(), add: builder =>
        {
            builder.AddMessageStore();
            builder.AddPush();
        });
        _phone = await _api.SignUpAsync("ann");
        _ann = new(Guid.Parse(_phone.UserId));
        var bob = await _api.PostAsync("/accounts", new { username = "bob", password = "correct horse", display_name = "Bob 👋" });
        _bob = new(bob.Json.GetProperty("user_id").GetGuid());
        await RegisterAsync(_phone, "aa");
    }

    public async ValueTask DisposeAsync() => await _api.DisposeAsync();

    private async Task RegisterAsync(SignedIn device, string token)
    {
        var body = new { provider = "apns", token, topic = "org.example.app", sandbox = true, content = "hidden" };
        Assert.Equal(HttpStatusCode.NoContent, (await _api.SendAsync(HttpMethod.Put, "/devices/current/push", body, device.AccessToken)).Status);
    }

    private NewEntry Entry(UserId sender, string text = "", EntryKind kind = EntryKind.Text)
    {
        _api.Time.Advance(TimeSpan.FromSeconds(1));
        return new()
        {
            Id = new(Guid.NewGuid()),
            Sender = sender,
            ClientMessageId = $"{++_sent}",
            Kind = kind,
            Text = Encoding.UTF8.GetBytes(text),
            CreatedAt = _api.Time.GetUtcNow(),
            ContentHash = (ulong)_sent,
        };
    }

    private async Task<LogEntry> AppendAsync(ConversationShape chat, NewEntry entry) => (await Store.AppendAsync(chat, [entry], Cancel))[0].Entry;

    /// <summary>Bob writes to Ann.</summary>
    private Task<LogEntry> SendAsync(string text) => AppendAsync(Chat, Entry(_bob, text));

    private Task<LogEntry> DeleteAsync(LogEntry target) =>
        AppendAsync(Chat, Entry(target.Sender, kind: EntryKind.Delete) with { Target = target.Id, TargetSeq = target.Seq });

    private async Task<GetPushReply> GetAsync(ConversationId? chat = null, UserId? user = null) => await Worker.GetPushAsync(
        new() { UserId = (user ?? _ann).ToBytes(), ConversationId = (chat ?? Chat.Id).ToBytes() }, cancellationToken: Cancel);

    private async Task ReportAsync(params PushOutcome[] outcomes)
    {
        var report = new ReportPushRequest { UserId = _ann.ToBytes(), ConversationId = Chat.Id.ToBytes() };
        report.Outcomes.AddRange(outcomes);
        await Worker.ReportPushAsync(report, cancellationToken: Cancel);
    }

    private ByteString Phone => new DeviceId(Guid.Parse(_phone.DeviceId)).ToBytes();

    /// <summary>What is told as the newest message; nothing: none is.</summary>
    private async Task<string> NewestAsync()
    {
        var push = await GetAsync();
        Assert.Equal(push.Seq == 0, push.MessageId.IsEmpty);
        Assert.Equal(push.Seq == 0, push.CreatedAtMs == 0);
        Assert.Equal(push.Seq == 0 ? "" : "Bob 👋", push.SenderName);
        return push.Seq == 0 ? push.Text : $"{push.Seq} {push.Text}";
    }

    [Fact]
    public async Task What_there_is_to_say_is_the_newest_unread_message_with_its_sender_and_the_devices()
    {
        await SendAsync("first");
        var newest = await SendAsync("secönd");
        var push = await GetAsync();

        Assert.Equal((Chat.Id.ToBytes(), _bob.ToBytes()), (push.Summary.ConversationId, push.Summary.OtherUserId));
        Assert.Equal((2, 0, 2), (push.Summary.HeadSeq, push.Summary.ReadSeq, push.Summary.UnreadCount));
        Assert.Equal((newest.Id.ToBytes(), 2, "Bob 👋", "secönd"), (push.MessageId, push.Seq, push.SenderName, push.Text));
        Assert.Equal(newest.CreatedAt.ToUnixTimeMilliseconds(), push.CreatedAtMs);
        Assert.Equal(2, push.Badge);
        Assert.Equal(
            new PushTarget
            {
                DeviceId = Phone,
                Provider = "apns",
                Token = "aa",
                Topic = "org.example.app",
                Sandbox = true,
                HidesContent = true,
                RegisteredAtMs = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds(),
            },
            Assert.Single(push.Targets));
    }

    [Fact]
    public async Task The_badge_is_the_unread_total_of_all_conversations()
    {
        var carol = UserId.New();
        var other = ConversationShape.Direct(_ann, carol);
        await SendAsync("1");
        await SendAsync("2");
        for (var i = 0; i < 3; i++) await AppendAsync(other, Entry(carol, "hello"));
        Assert.Equal(5, (await GetAsync()).Badge);
        Assert.Equal(5, (await GetAsync(other.Id)).Badge);

        await Store.AdvanceAsync(_ann, [new(other.Id, 0, 2)], _api.Time.GetUtcNow(), Cancel);
        var push = await GetAsync();
        Assert.Equal((3, 2), (push.Badge, push.Summary.UnreadCount));
    }

    [Fact]
    public async Task A_user_without_a_registered_device_has_no_targets()
    {
        await AppendAsync(Chat, Entry(_ann, "hello"));
        var push = await GetAsync(user: _bob);
        Assert.Empty(push.Targets);
        Assert.Equal((1, "ann", "hello"), (push.Summary.UnreadCount, push.SenderName, push.Text));
    }

    [Fact]
    public async Task What_was_read_or_cleared_is_not_told()
    {
        await SendAsync("1");
        await SendAsync("2");
        await Store.AdvanceAsync(_ann, [new(Chat.Id, 0, 1)], _api.Time.GetUtcNow(), Cancel);
        Assert.Equal("2 2", await NewestAsync());
        await Store.AdvanceAsync(_ann, [new(Chat.Id, 0, 2)], _api.Time.GetUtcNow(), Cancel);
        Assert.Equal("", await NewestAsync());

        await SendAsync("3");
        Assert.Equal("3 3", await NewestAsync());
        await Store.ClearAsync(Chat.Id, _ann, 3, _api.Time.GetUtcNow(), Cancel);
        Assert.Equal("", await NewestAsync());
        var push = await GetAsync();
        Assert.Equal((3, 0, 0), (push.Summary.ReadSeq, push.Summary.UnreadCount, push.Badge));
    }

    [Fact]
    public async Task Ones_own_messages_are_not_told()
    {
        await SendAsync("1");
        await AppendAsync(Chat, Entry(_ann, "an answer"));
        Assert.Equal("", await NewestAsync());
        await SendAsync("3");
        Assert.Equal("3 3", await NewestAsync());

        var notes = ConversationShape.Direct(_ann, _ann);
        await AppendAsync(notes, Entry(_ann, "a note"));
        var push = await GetAsync(notes.Id);
        Assert.Equal((1, 0, 1), (push.Summary.HeadSeq, push.Seq, push.Badge));
    }

    [Fact]
    public async Task Messages_that_were_deleted_are_passed_over()
    {
        await SendAsync("1");
        var second = await SendAsync("2");
        var third = await SendAsync("3");
        await DeleteAsync(third);
        Assert.Equal("2 2", await NewestAsync());

        Assert.True(await Store.HideAsync(Chat.Id, _ann, [second.Seq], _api.Time.GetUtcNow(), Cancel));
        Assert.Equal("1 1", await NewestAsync());
        // Hidden from Ann alone.
        Assert.True(await Store.HideAsync(Chat.Id, _bob, [1], _api.Time.GetUtcNow(), Cancel));
        Assert.Equal("1 1", await NewestAsync());
        Assert.True(await Store.HideAsync(Chat.Id, _ann, [1], _api.Time.GetUtcNow(), Cancel));
        Assert.Equal("", await NewestAsync());
    }

    [Theory]
    [InlineData(49, "1 hello")]
    [InlineData(50, "1 hello")]
    [InlineData(499, "1 hello")]
    [InlineData(500, "")]
    public async Task Entries_that_nobody_reads_are_passed_over_up_to_a_bound(int entries, string expected)
    {
        await SendAsync("hello");
        foreach (var some in Enumerable.Range(0, entries).Select(_ => Entry(_bob, kind: EntryKind.System)).Chunk(250))
            await Store.AppendAsync(Chat, some, Cancel);
        Assert.Equal(expected, await NewestAsync());
    }

    [Fact]
    public async Task A_long_text_is_cut()
    {
        await SendAsync(string.Concat(Enumerable.Repeat("👋🏽", 100)));
        Assert.Equal(string.Concat(Enumerable.Repeat("👋🏽", 25)), (await GetAsync()).Text);
    }

    [Fact]
    public async Task A_sender_without_an_account_has_no_name()
    {
        var nobody = UserId.New();
        var chat = ConversationShape.Direct(_ann, nobody);
        await AppendAsync(chat, Entry(nobody, "hello"));
        var push = await GetAsync(chat.Id);
        Assert.Equal(("", "hello"), (push.SenderName, push.Text));
    }

    [Fact]
    public async Task Of_a_conversation_that_the_user_is_not_in_nothing_is_told_but_the_badge_and_the_devices()
    {
        await SendAsync("1");
        var carol = UserId.New();
        var theirs = ConversationShape.Direct(_bob, carol);
        await AppendAsync(theirs, Entry(carol, "secret"));
        foreach (var chat in new[] { theirs.Id, new ConversationId(Guid.NewGuid()) })
        {
            var push = await GetAsync(chat);
            Assert.Null(push.Summary);
            Assert.Equal((0, "", "", 1), (push.Seq, push.Text, push.SenderName, push.Badge));
            Assert.True(push.MessageId.IsEmpty);
            Assert.Single(push.Targets);
        }
    }

    [Fact]
    public async Task Marks_are_kept_for_each_device_and_conversation_and_only_rise()
    {
        await SendAsync("1");
        await ReportAsync(new PushOutcome { DeviceId = Phone, Token = "aa", PushedSeq = 5 });
        await ReportAsync(new PushOutcome { DeviceId = Phone, Token = "aa", PushedSeq = 4, ClearedSeq = 3 });
        var target = Assert.Single((await GetAsync()).Targets);
        Assert.Equal((5, 3), (target.PushedSeq, target.ClearedSeq));
        var elsewhere = Assert.Single((await GetAsync(new(Guid.NewGuid()))).Targets);
        Assert.Equal((0, 0), (elsewhere.PushedSeq, elsewhere.ClearedSeq));
    }

    [Fact]
    [Trait("Requirement", "R32")]
    public async Task A_dead_token_is_forgotten_unless_it_was_registered_since()
    {
        var tablet = await _api.SignInAsync("ann");
        await RegisterAsync(tablet, "bb");
        _api.Time.Advance(TimeSpan.FromMinutes(1));
        var died = _api.Time.GetUtcNow().ToUnixTimeMilliseconds();
        _api.Time.Advance(TimeSpan.FromMinutes(1));
        await RegisterAsync(_phone, "aa");

        await ReportAsync(
            new PushOutcome { DeviceId = Phone, Token = "aa", DeadAtMs = died },
            new PushOutcome { DeviceId = new DeviceId(Guid.Parse(tablet.DeviceId)).ToBytes(), Token = "bb", DeadAtMs = died });
        Assert.Equal("aa", Assert.Single((await GetAsync()).Targets).Token);
    }

    [Fact]
    public async Task What_breaks_the_contract_is_refused()
    {
        await IsRefusedAsync(Worker.GetPushAsync(new() { UserId = _ann.ToBytes() }, cancellationToken: Cancel), "conversation_id must be");
        await IsRefusedAsync(
            Worker.GetPushAsync(new() { UserId = ByteString.CopyFromUtf8("ann"), ConversationId = Chat.Id.ToBytes() }, cancellationToken: Cancel), "user_id must be");
        await IsRefusedAsync(Report(new PushOutcome { DeviceId = ByteString.Empty }), "device_id must be");
        await IsRefusedAsync(Report(new PushOutcome { DeviceId = Phone, DeadAtMs = -1 }), "dead_at_ms must be");
        await IsRefusedAsync(Report(new PushOutcome { DeviceId = Phone, DeadAtMs = long.MaxValue }), "dead_at_ms must be");
        await IsRefusedAsync(Report([.. Enumerable.Repeat(new PushOutcome { DeviceId = Phone }, 101)]), "at most 100 outcomes");
        await ReportAsync([.. Enumerable.Repeat(new PushOutcome { DeviceId = Phone }, 100)]);

        AsyncUnaryCall<ReportPushReply> Report(params PushOutcome[] outcomes)
        {
            var report = new ReportPushRequest { UserId = _ann.ToBytes(), ConversationId = Chat.Id.ToBytes() };
            report.Outcomes.AddRange(outcomes);
            return Worker.ReportPushAsync(report, cancellationToken: Cancel);
        }
    }

    private static async Task IsRefusedAsync<T>(AsyncUnaryCall<T> call, string message)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        Assert.StartsWith(message, refusal.Status.Detail, StringComparison.Ordinal);
    }
}
