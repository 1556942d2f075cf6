using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Google.Protobuf;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;
using PullRange = WhatsAspire.Contracts.Frames.PullRange;

namespace WhatsAspire.Contracts.Tests;

/// <summary>The wire as text, and the records and writers of it.</summary>
public sealed class FrameTests
{
    private static readonly UserId User = new(new("11111111-1111-1111-1111-111111111111"));
    private static readonly ConversationId Chat = new(new("22222222-2222-5222-8222-222222222222"));
    private static readonly ConversationId Other = new(new("22222222-2222-5222-8222-222222222223"));
    private static readonly MessageId Id = new(new("33333333-3333-1333-8333-333333333333"));
    private static readonly DeviceId Device = new(new("44444444-4444-4444-8444-444444444444"));
    private static readonly DateTimeOffset At = new(2026, 11, 24, 10, 15, 30, 123, TimeSpan.Zero);

    private static readonly MessageFrame Message = new()
    {
        ConversationId = Chat,
        MessageId = Id,
        Seq = 9,
        SenderId = User,
        ClientMessageId = "c-1",
        Kind = "text",
        Text = "grüß \"🙂\"\n<b>",
        ReplyTo = new(new("33333333-3333-1333-8333-333333333332")),
        CreatedAt = At,
        EditedAt = new(2026, 11, 24, 10, 16, 0, TimeSpan.Zero),
    };

    [Fact]
    public void Frames_of_clients_are_as_documented()
    {
        Check(Golden.Hello, new HelloFrame { Token = "t", Cursor = "1764000000000" }, WireJson.Default.HelloFrame);
        Check(Golden.SendToUser, new SendFrame { ClientMessageId = "c-1", To = new(User), Text = "hello" }, WireJson.Default.SendFrame);
        Check(Golden.SendToConversation,
            new SendFrame { Ref = "7", ClientMessageId = "c-1", ConversationId = Chat, Text = "grüß 🙂", ReplyTo = Id }, WireJson.Default.SendFrame);
        Check(Golden.Read, new ReadFrame { Ref = "8", ConversationId = Chat, Seq = 9 }, WireJson.Default.ReadFrame);
        Check(Golden.Ping, new PingFrame(), WireJson.Default.PingFrame);
        Check(Golden.Ack, new AckFrame { Positions = [new(Chat, 9)] }, WireJson.Default.AckFrame);
        Check(Golden.Pull, new PullFrame { Ref = "9", Ranges = [new PullRange(Chat, 3, 50), new PullRange(Other, 0)] }, WireJson.Default.PullFrame);
    }

    [Fact]
    public void Frames_of_servers_are_as_documented()
    {
        Check(Golden.Welcome, new WelcomeFrame
        {
            UserId = User,
            DeviceId = Device,
            ConnectionId = "55555555-5555-7555-8555-555555555555",
            HeartbeatMs = 25_000,
            ServerTime = At,
            Limits = new(Limits.FrameBytes, Limits.TextLength, Limits.PullRanges, Limits.PullMessages, Limits.AckPositions),
        }, WireJson.Default.WelcomeFrame);
        Check(Golden.Conversation, new ConversationFrame
        {
            ConversationId = Chat,
            Kind = "direct",
            UserId = User,
            HeadSeq = 9,
            ReadSeq = 7,
            DeliveredSeq = 8,
            UnreadCount = 2,
            Preview = "hello",
            LastMessageAt = At,
            Others = new(6, 5),
        }, WireJson.Default.ConversationFrame);
        Check(Golden.Synced, new SyncedFrame { Cursor = "1764000000000" }, WireJson.Default.SyncedFrame);
        Check(Golden.Sent, new SentFrame { ClientMessageId = "c-1", ConversationId = Chat, MessageId = Id, Seq = 9, CreatedAt = At }, WireJson.Default.SentFrame);
        Check(Golden.Message, Message, WireJson.Default.MessageFrame);
        Check(Golden.Deleted, Message with { Text = null, ReplyTo = null, EditedAt = null, Deleted = true }, WireJson.Default.MessageFrame);
        Check(Golden.Deletion, new MessageFrame
        {
            ConversationId = Chat,
            MessageId = new(new("33333333-3333-1333-8333-333333333334")),
            Seq = 10,
            SenderId = User,
            ClientMessageId = "c-2",
            Kind = "delete",
            CreatedAt = At,
            Target = new(Id, 9),
        }, WireJson.Default.MessageFrame);
        Check(Golden.Page, new PageFrame { Ref = "9", ConversationId = Chat, Messages = [Message], More = true, HeadSeq = 12 }, WireJson.Default.PageFrame);
        Check(Golden.Receipt, new ReceiptFrame { ConversationId = Chat, UserId = User, DeliveredSeq = 9, ReadSeq = 8, At = At }, WireJson.Default.ReceiptFrame);
        Check(Golden.Acked, new AckedFrame { Ref = "7", Positions = [new(Chat, 9)] }, WireJson.Default.AckedFrame);
        Check(Golden.Error,
            new ErrorFrame { Ref = "7", Code = "rate_limited", Message = "too many", Retryable = true, RetryAfterMs = 1500 }, WireJson.Default.ErrorFrame);
        Check(Golden.Reconnect, new ReconnectFrame { AfterMs = 1500, Reason = "restart" }, WireJson.Default.ReconnectFrame);
        Check(Golden.Pong, new PongFrame { ServerTime = At }, WireJson.Default.PongFrame);
    }

    [Fact]
    public void The_direct_writers_write_what_the_records_are()
    {
        var entry = Entry();
        Assert.Equal(Golden.Sent, Text(FrameWriter.Sent(entry, duplicate: false, null)));
        Assert.Equal(
            Text(FrameWriter.Write(new SentFrame { Ref = "r", ClientMessageId = "c-1", ConversationId = Chat, MessageId = Id, Seq = 9, CreatedAt = At, Duplicate = true })),
            Text(FrameWriter.Sent(entry, duplicate: true, "r")));
        Same(entry, Golden.Message);

        var deleted = Entry();
        (deleted.Deleted, deleted.ReplyTo, deleted.EditedAtMs) = (true, ByteString.Empty, 0);
        Same(deleted, Golden.Deleted);

        var deletion = Entry();
        (deletion.Kind, deletion.Seq, deletion.ClientMessageId) = (EntryKind.Delete, 10, "c-2");
        deletion.MessageId = new MessageId(new("33333333-3333-1333-8333-333333333334")).ToBytes();
        (deletion.ReplyTo, deletion.EditedAtMs, deletion.TargetId, deletion.TargetSeq) = (ByteString.Empty, 0, Id.ToBytes(), 9);
        Same(deletion, Golden.Deletion);

        var page = new Page { ConversationId = Chat.ToBytes(), More = true, HeadSeq = 12 };
        page.Entries.Add(entry);
        Assert.Equal(Golden.Page, Text(FrameWriter.Page(page, "9")));

        var advanced = new Advanced { ConversationId = Chat.ToBytes(), DeliveredSeq = 9, ReadSeq = 8, AtMs = At.ToUnixTimeMilliseconds() };
        Assert.Equal(Golden.Receipt, Text(FrameWriter.Receipt(User, advanced)));
        Assert.Equal(
            Text(FrameWriter.Write(new ReceiptFrame { ConversationId = Chat, DeliveredSeq = 9, ReadSeq = 8, At = At })),
            Text(FrameWriter.Receipt(null, advanced)));

        var summary = new Summary
        {
            ConversationId = Chat.ToBytes(),
            Kind = ConversationKind.Direct,
            OtherUserId = User.ToBytes(),
            HeadSeq = 9,
            ReadSeq = 7,
            DeliveredSeq = 8,
            UnreadCount = 2,
            Preview = "hello",
            LastMessageAtMs = At.ToUnixTimeMilliseconds(),
            OthersDeliveredSeq = 6,
            OthersReadSeq = 5,
        };
        Assert.Equal(Golden.Conversation, Text(FrameWriter.Conversation(summary, null)));
        Assert.Equal(Golden.Error, Text(FrameWriter.Error(new(ErrorCode.RateLimited, "too many", TimeSpan.FromMilliseconds(1500)), "7")));
    }

    [Fact]
    public void A_page_that_would_be_too_large_holds_fewer_messages_and_says_that_there_are_more()
    {
        var page = new Page { ConversationId = Chat.ToBytes(), HeadSeq = 100 };
        for (var seq = 1; seq <= 100; seq++)
        {
            var entry = Entry();
            (entry.Seq, entry.Text) = (seq, ByteString.CopyFromUtf8(new string('x', seq % 2 == 0 ? 4_000 : 10)));
            page.Entries.Add(entry);
        }

        var frame = FrameWriter.Page(page, "1");
        Assert.InRange(frame.Length, Limits.FrameBytes / 2, Limits.FrameBytes);
        var parsed = JsonSerializer.Deserialize(frame, WireJson.Default.PageFrame)!;
        Assert.True(parsed.More);
        Assert.Equal(Enumerable.Range(1, parsed.Messages.Count).Select(i => (long)i), parsed.Messages.Select(m => m.Seq));
    }

    [Fact]
    public void A_text_is_the_same_escaped_or_not() =>
        Assert.Equal(Message, JsonSerializer.Deserialize(Golden.Message.Replace(@"\uD83D\uDE42", "🙂", StringComparison.Ordinal), WireJson.Default.MessageFrame));

    [Theory]
    [InlineData("""{"type":"pong","server_time":"2026-11-24T12:15:30.123+02:00"}""")]
    [InlineData("""{"type":"pong","server_time":"2026-11-24T10:15:30.123Z","ref":null,"new_in_version_9":{"a":[1]}}""")]
    public void Unknown_members_nulls_and_other_offsets_are_understood(string text) =>
        Assert.Equal(new PongFrame { ServerTime = At }, JsonSerializer.Deserialize(text, WireJson.Default.PongFrame));

    [Theory]
    [InlineData("""{"type":"read","conversation_id":"not a uuid","seq":1}""")]
    [InlineData("""{"type":"read","conversation_id":"22222222-2222-5222-8222-222222222222"}""")]
    [InlineData("""{"type":"read","conversation_id":"22222222-2222-5222-8222-222222222222","seq":"1"}""")]
    public void What_is_missing_or_of_a_wrong_type_is_refused(string text) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(text, WireJson.Default.ReadFrame));

    private static void Same(Entry entry, string golden)
    {
        Assert.Equal(golden, Text(FrameWriter.Message(entry, entry.Text.Span)));
        Assert.Equal(golden, Text(FrameWriter.Write(FrameWriter.ToFrame(entry))));
    }

    // Text to record and record to text; lists have no equality of their own, so frames are compared as written.
    private static void Check<T>(string golden, T frame, JsonTypeInfo<T> type)
    {
        Assert.Equal(golden, Text(FrameWriter.Write(frame)));
        Assert.Equal(golden, Text(FrameWriter.Write(JsonSerializer.Deserialize(golden, type)!)));
    }

    private static Entry Entry() => new()
    {
        ConversationId = Chat.ToBytes(),
        MessageId = Id.ToBytes(),
        Seq = 9,
        SenderId = User.ToBytes(),
        ClientMessageId = "c-1",
        Kind = EntryKind.Text,
        Text = ByteString.CopyFromUtf8(Message.Text!),
        ReplyTo = Message.ReplyTo!.Value.ToBytes(),
        CreatedAtMs = At.ToUnixTimeMilliseconds(),
        EditedAtMs = Message.EditedAt!.Value.ToUnixTimeMilliseconds(),
    };

    private static string Text(byte[] frame) => Encoding.UTF8.GetString(frame);
}
