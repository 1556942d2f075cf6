using System.Text;
using System.Text.Json;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.Contracts.Tests;

/// <summary>The queue's events as they are stored: other versions read them.</summary>
public sealed class EventTests
{
    private const string Full =
        """{"conversation_id":"22222222-2222-5222-8222-222222222222","messages":[{"seq":9,"to":["11111111-1111-1111-1111-111111111111"],"except":"55555555-5555-7555-8555-555555555555"},{"seq":10,"to":["11111111-1111-1111-1111-111111111112","11111111-1111-1111-1111-111111111111"]}],"receipts":[{"user_id":"11111111-1111-1111-1111-111111111112","delivered_seq":9,"read_seq":8,"at":"2026-11-24T10:15:30.123Z","to":["11111111-1111-1111-1111-111111111111"]}],"changed":["11111111-1111-1111-1111-111111111111"],"logged_out":[{"user_id":"11111111-1111-1111-1111-111111111111","device_id":"44444444-4444-4444-8444-444444444444"}],"served":"0123456789abcdef"}""";

    private const string FullFanout =
        """{"conversation_id":"22222222-2222-5222-8222-222222222222","seq":9,"sender_id":"11111111-1111-1111-1111-111111111111","except":"55555555-5555-7555-8555-555555555555","at":"2026-11-24T10:15:30.123Z","to":["11111111-1111-1111-1111-111111111112"],"edge":"0123456789abcdef","members":500}""";

    private const string LeastFanout =
        """{"conversation_id":"22222222-2222-5222-8222-222222222222","seq":9,"sender_id":"11111111-1111-1111-1111-111111111111","at":"2026-11-24T10:15:30.123Z"}""";

    private const string Least = """{"conversation_id":"22222222-2222-5222-8222-222222222222"}""";

    private static readonly UserId Ann = new(new("11111111-1111-1111-1111-111111111111"));
    private static readonly UserId Bob = new(new("11111111-1111-1111-1111-111111111112"));
    private static readonly ConversationId Chat = new(new("22222222-2222-5222-8222-222222222222"));

    [Fact]
    public void A_redelivery_is_stored_as_it_always_was()
    {
        Assert.Equal(("redelivery", "redelivery.v1"), (RedeliveryEvent.Topic, RedeliveryEvent.Type));
        var failed = new RedeliveryEvent
        {
            ConversationId = Chat,
            Messages = [new(9, [Ann], new(new("55555555-5555-7555-8555-555555555555"))), new(10, [Bob, Ann])],
            Receipts = [new(Bob, 9, 8, new(2026, 11, 24, 10, 15, 30, 123, TimeSpan.Zero), [Ann])],
            Changed = [Ann],
            LoggedOut = [new(Ann, new(new("44444444-4444-4444-8444-444444444444")))],
            Served = "0123456789abcdef",
        };
        Assert.Equal(Full, Text(failed));
        Assert.Equal(Full, Text(Parse(Full)));
        Assert.Equal(Least, Text(new RedeliveryEvent { ConversationId = Chat }));
    }

    [Fact]
    public void A_fan_out_is_stored_as_it_always_was()
    {
        Assert.Equal(("fanout", "fanout.retry", "fanout.v1"), (FanoutEvent.Topic, FanoutEvent.RetryTopic, FanoutEvent.Type));
        var least = new FanoutEvent
        {
            ConversationId = Chat,
            Seq = 9,
            SenderId = Ann,
            At = new(2026, 11, 24, 10, 15, 30, 123, TimeSpan.Zero),
        };
        var full = least with { Except = new(new("55555555-5555-7555-8555-555555555555")), To = [Bob], Edge = "0123456789abcdef", Members = 500 };
        Assert.Equal(LeastFanout, Text(least));
        Assert.Equal(FullFanout, Text(full));
        Assert.Equal(FullFanout, Text(JsonSerializer.Deserialize(FullFanout, EventJson.Default.FanoutEvent)!));
        Assert.Equal(least, JsonSerializer.Deserialize(LeastFanout, EventJson.Default.FanoutEvent));
    }

    [Fact]
    public void Members_that_are_not_known_yet_are_passed_over() =>
        Assert.Equal(Least, Text(Parse(Least.Replace("}", ",\"later\":[1]}", StringComparison.Ordinal))));

    private static string Text(RedeliveryEvent failed) =>
        Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(failed, EventJson.Default.RedeliveryEvent));

    private static string Text(FanoutEvent fanout) =>
        Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(fanout, EventJson.Default.FanoutEvent));

    private static RedeliveryEvent Parse(string text) => JsonSerializer.Deserialize(text, EventJson.Default.RedeliveryEvent)!;
}
