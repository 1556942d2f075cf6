using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client.Tests;

/// <summary>A client against scripted servers, what it shows, and the frames of the tests.</summary>
internal sealed class TestClient : IAsyncDisposable
{
    public static readonly UserId Me = new(new("11111111-1111-1111-1111-111111111111"));
    public static readonly UserId Bob = new(new("22222222-2222-2222-2222-222222222222"));
    public static readonly DeviceId Device = new(new("33333333-3333-3333-3333-333333333333"));
    public static readonly ConversationId Chat = ConversationId.Direct(Me, Bob);

    /// <summary>Fast, and everything from the start.</summary>
    public static readonly ChatClientOptions Fast = new()
    {
        FirstSync = FirstSync.FromStart,
        MinBackoff = TimeSpan.FromMilliseconds(1),
        MaxBackoff = TimeSpan.FromMilliseconds(5),
    };

    private readonly Channel<ConnectionStatus> _statuses = Channel.CreateUnbounded<ConnectionStatus>();
    private readonly ChatServer _server;
    private IAsyncEnumerator<MessageFrame>? _messages;

    public TestClient(ChatClientOptions? options = null, params ScriptedServer[] servers)
    {
        options ??= Fast;
        _server = new([.. servers.Select(s => s.Address)]);
        Account = new(_server, new() { UserId = Me, DeviceId = Device, AccessToken = "access-0", ExpiresIn = 900, RefreshToken = "refresh-0" }, options.Time);
        Client = Account.CreateClient(options);
        Client.StatusChanged += status => _statuses.Writer.TryWrite(status);
    }

    public ChatAccount Account { get; }

    public ChatClient Client { get; }

    /// <summary>The next status of that kind.</summary>
    public async Task<ConnectionStatus> NextStatusAsync(ConnectionState state)
    {
        while (true)
        {
            var status = await _statuses.Reader.ReadAsync().AsTask().In($"the state {state}");
            if (status.State == state) return status;
        }
    }

    /// <summary>The next message that the client shows.</summary>
    public async Task<MessageFrame> NextMessageAsync()
    {
        _messages ??= Client.ReadMessagesAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await _messages.MoveNextAsync().AsTask().In("a message"), "the messages ended");
        return _messages.Current;
    }

    public async Task<List<long>> NextSeqsAsync(int count)
    {
        var seqs = new List<long>();
        while (seqs.Count < count) seqs.Add((await NextMessageAsync()).Seq);
        return seqs;
    }

    public async ValueTask DisposeAsync()
    {
        // Who asks for the next one is done with the last.
        var next = _messages?.MoveNextAsync().AsTask();
        await Client.DisposeAsync();
        if (_messages is not null)
        {
            while (await next!.In("the end of the messages")) next = _messages.MoveNextAsync().AsTask();

            await _messages.DisposeAsync();
        }

        Account.Dispose();
        _server.Dispose();
    }

    public static string Message(long seq, ConversationId? conversation = null, UserId? sender = null, string kind = "text") =>
        $$"""
        {"type":"message","conversation_id":"{{conversation ?? Chat}}","message_id":"{{Id(seq)}}","seq":{{seq}},"sender_id":"{{sender ?? Bob}}",
        "client_message_id":"m{{seq}}","kind":"{{kind}}","text":"text {{seq}}","created_at":"2026-11-24T10:15:30.123Z"}
        """;

    public static string Summary(
        long head, long delivered = 0, long read = 0, long unread = 0, long othersDelivered = 0, long othersRead = 0,
        ConversationId? conversation = null, string? reference = null) =>
        $$$"""
        {"type":"conversation",{{{(reference is null ? "" : $"\"ref\":\"{reference}\",")}}}"conversation_id":"{{{conversation ?? Chat}}}","kind":"direct","user_id":"{{{Bob}}}",
        "head_seq":{{{head}}},"read_seq":{{{read}}},"delivered_seq":{{{delivered}}},"unread_count":{{{unread}}},"last_message_at":"2026-11-24T10:15:30.123Z",
        "others":{"delivered_seq":{{{othersDelivered}}},"read_seq":{{{othersRead}}}},"archived":false,"pinned":false}
        """;

    public static string Sent(JsonNode send, long seq, bool duplicate = false) =>
        $$"""
        {"type":"sent","client_message_id":"{{(string?)send["client_message_id"]}}","conversation_id":"{{Chat}}","message_id":"{{Id(seq)}}","seq":{{seq}},
        "created_at":"2026-11-24T10:15:30.123Z","duplicate":{{(duplicate ? "true" : "false")}}}
        """;

    public static string Error(string reference, string code, bool retryable = false) =>
        $$"""{"type":"error","ref":"{{reference}}","code":"{{code}}","message":"as scripted","retryable":{{(retryable ? "true" : "false")}}}""";

    public static string Receipt(long delivered, long read) =>
        $$"""{"type":"receipt","conversation_id":"{{Chat}}","user_id":"{{Bob}}","delivered_seq":{{delivered}},"read_seq":{{read}},"at":"2026-11-24T10:15:30.123Z"}""";

    /// <summary>A page with the messages from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public static string Page(JsonNode pull, long first, long last, bool more = false, long? head = null, ConversationId? conversation = null)
    {
        var messages = new List<string>();
        for (var seq = first; seq <= last; seq++) messages.Add(Message(seq, conversation));
        return $$"""
            {"type":"page","ref":"{{(string?)pull["ref"]}}","conversation_id":"{{conversation ?? Chat}}","messages":[{{string.Join(',', messages)}}],
            "more":{{(more ? "true" : "false")}},"head_seq":{{head ?? last}}}
            """;
    }

    private static string Id(long seq) => $"aaaaaaaa-0000-1000-8000-{seq:d12}";
}

/// <summary>Waits that say what they waited for.</summary>
internal static class Waiting
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task<T> In<T>(this Task<T> task, string what)
    {
        await ((Task)task).In(what);
        return await task;
    }

    public static async Task In(this Task task, string what)
    {
        try
        {
            await task.WaitAsync(Limit, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw new TimeoutException($"waited {Limit.TotalSeconds:0} s for {what}");
        }
    }

    /// <summary>Lets a clock of the test run, a step for each real millisecond since real sockets need real time, until
    /// something has happened.</summary>
    public static async Task<T> WhileTimePasses<T>(this Task<T> task, FakeTimeProvider time, TimeSpan step)
    {
        using var real = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (!task.IsCompleted && await real.WaitForNextTickAsync(TestContext.Current.CancellationToken)) time.Advance(step);
        return await task;
    }
}
