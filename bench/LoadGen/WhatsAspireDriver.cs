using System.Buffers.Text;
using System.Text;

namespace Bench;

/// <summary>WhatsAspire's JSON: hello, send, ack. Users and their tokens come from the file that <c>prepare</c> wrote,
/// named by BENCH_TOKENS; user i connects to address i modulo the number of addresses in BENCH_URLS, so that most pairs
/// have their two ends on different edges. A room is the one group that <c>prepare</c> made, named by BENCH_GROUP. With
/// BENCH_READS=1 every message is read by whoever gets it, and not only acknowledged.</summary>
public sealed class WhatsAspireDriver(Loop loop, Uri url, IChatSink sink) : WsConn(loop), IChatDriver
{
    private static readonly Lazy<(string Id, string Token)[]> Accounts = new(() =>
        [.. File.ReadLines(Environment.GetEnvironmentVariable("BENCH_TOKENS") ?? throw new ArgumentException("BENCH_TOKENS names no file"))
            .Select(line => line.Split(' ')).Select(parts => (parts[0], parts[1]))]);

    private static readonly Lazy<Uri[]> Urls = new(() =>
        [.. (Environment.GetEnvironmentVariable("BENCH_URLS") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(u => new Uri(u))]);

    // Ids are unique for each run, or the second run's messages would be the first one's duplicates.
    private static readonly string Run = Guid.NewGuid().ToString("N")[..12] + "-";
    private static readonly byte[] RunUtf8 = Encoding.ASCII.GetBytes(Run);

    private readonly TaskCompletionSource _ready = new();
    public int User { get; private set; }
    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    private static readonly byte[] Group = Encoding.ASCII.GetBytes(Environment.GetEnvironmentVariable("BENCH_GROUP") ?? "");
    private static readonly bool Reads = Environment.GetEnvironmentVariable("BENCH_READS") == "1";

    // The newest seq of the group that came here or was sent from here; 0: none yet.
    private long _groupSeq;

    // Own messages of the group that are ahead of that.
    private readonly HashSet<long> _groupSent = [];

    // Seq of each conversation (by the hash of its id) to the ids of own messages that wait for a receipt.
    private readonly Dictionary<long, Queue<(long Seq, long Id)>> _sent = [];

    public Task ConnectAsync(int user)
    {
        User = user;
        var urls = Urls.Value;
        Open(urls.Length == 0 ? url : urls[user % urls.Length], null);
        return _ready.Task;
    }

    public ValueTask SendAsync(int to, long id, ReadOnlySpan<byte> text)
    {
        SendText(Loop.Scratch.Clear().Add("{\"type\":\"send\",\"client_message_id\":\""u8).Add(RunUtf8).Add(id)
            .Add("\",\"to\":{\"user_id\":\""u8).Add(Encoding.ASCII.GetBytes(Accounts.Value[to].Id)).Add("\"},\"text\":\""u8).Add(text).Add("\"}"u8).Span);
        return ValueTask.CompletedTask;
    }

    public Task JoinAsync(string room) =>
        Group.Length == 36 ? Task.CompletedTask : throw new IOException("BENCH_GROUP names no group: prepare with --group");

    public ValueTask SendToGroupAsync(string room, long id, ReadOnlySpan<byte> text)
    {
        SendText(Loop.Scratch.Clear().Add("{\"type\":\"send\",\"client_message_id\":\""u8).Add(RunUtf8).Add(id)
            .Add("\",\"conversation_id\":\""u8).Add(Group).Add("\",\"text\":\""u8).Add(text).Add("\"}"u8).Span);
        return ValueTask.CompletedTask;
    }

    protected override void OnOpen() =>
        SendText(Encoding.ASCII.GetBytes($$"""{"type":"hello","protocol":1,"token":"{{Accounts.Value[User].Token}}"}"""));

    protected override void OnText(ReadOnlySpan<byte> s)
    {
        if (!s.StartsWith("{\"type\":\""u8) || s.Length < 12) return;
        switch (s[9])
        {
            case (byte)'s' when s[10] == 'e':   // sent
                var id = Number(s, RunUtf8);
                var queue = Waiting(s);
                queue.Enqueue((Number(s, "\"seq\":"u8), id));
                if (IsGroup(s)) _groupSent.Add(Number(s, "\"seq\":"u8));
                sink.OnServerAck(this, id);
                break;
            case (byte)'m':   // message
                var seq = Number(s, "\"seq\":"u8);
                var delivered = Number(s, RunUtf8);
                if (IsGroup(s)) Got(seq);
                Acknowledge(Conversation(s), seq);
                if (delivered >= 0) sink.OnDelivered(this, delivered);
                break;
            case (byte)'p' when s.StartsWith("{\"type\":\"page"u8):
                Page(s);
                break;
            case (byte)'r' when s.StartsWith("{\"type\":\"receipt"u8):
                var upTo = Number(s, "\"delivered_seq\":"u8);
                for (var waiting = Waiting(s); waiting.TryPeek(out var first) && first.Seq <= upTo;)
                    sink.OnReceipt(this, waiting.Dequeue().Id);
                break;
            case (byte)'s' when s[10] == 'y':   // synced
                _ready.TrySetResult();
                break;
            case (byte)'e':
                sink.OnError(this, Encoding.UTF8.GetString(s));
                break;
        }
    }

    private static bool IsGroup(ReadOnlySpan<byte> s) => Group.Length > 0 && Conversation(s).SequenceEqual(Group);

    private void Acknowledge(ReadOnlySpan<byte> conversation, long seq)
    {
        if (Reads)
            SendText(Loop.Scratch.Clear().Add("{\"type\":\"read\",\"conversation_id\":\""u8).Add(conversation)
                .Add("\",\"seq\":"u8).Add(seq).Add("}"u8).Span);
        else
            SendText(Loop.Scratch.Clear().Add("{\"type\":\"ack\",\"positions\":[{\"conversation_id\":\""u8).Add(conversation)
                .Add("\",\"seq\":"u8).Add(seq).Add("}]}"u8).Span);
    }

    // A jump means: pull what lies between.
    private void Got(long seq)
    {
        while (_groupSent.Remove(_groupSeq + 1)) _groupSeq++;
        if (_groupSeq > 0 && seq > _groupSeq + 1)
            SendText(Loop.Scratch.Clear().Add("{\"type\":\"pull\",\"ref\":\"g\",\"ranges\":[{\"conversation_id\":\""u8).Add(Group)
                .Add("\",\"after\":"u8).Add(_groupSeq).Add(",\"limit\":"u8).Add(seq - 1 - _groupSeq).Add("}]}"u8).Span);
        _groupSeq = Math.Max(_groupSeq, seq);
    }

    private void Page(ReadOnlySpan<byte> s)
    {
        for (var i = s.IndexOf(RunUtf8); i >= 0; i = s.IndexOf(RunUtf8))
        {
            s = s[i..];
            sink.OnDelivered(this, Number(s, RunUtf8));
            s = s[RunUtf8.Length..];
        }
    }

    private Queue<(long Seq, long Id)> Waiting(ReadOnlySpan<byte> s)
    {
        if (!Utf8Parser.TryParse(Conversation(s)[..8], out uint key, out _, 'x')) throw new IOException("a frame without a conversation");
        if (!_sent.TryGetValue(key, out var queue)) _sent[key] = queue = new();
        return queue;
    }

    private static ReadOnlySpan<byte> Conversation(ReadOnlySpan<byte> s)
    {
        var name = "\"conversation_id\":\""u8;
        var i = s.IndexOf(name);
        return i < 0 ? default : s.Slice(i + name.Length, 36);
    }

    private static long Number(ReadOnlySpan<byte> s, ReadOnlySpan<byte> after)
    {
        var i = s.IndexOf(after);
        return i >= 0 && Utf8Parser.TryParse(s[(i + after.Length)..], out long n, out _) ? n : -1;
    }

    protected override void OnClosed(string why)
    {
        _ready.TrySetException(new IOException(why));
        sink.OnClosed(this, why);
    }
}
