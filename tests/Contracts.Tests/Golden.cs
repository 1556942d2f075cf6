namespace WhatsAspire.Contracts.Tests;

/// <summary>Frames as they are on the wire, once each. They only grow: a change here breaks clients that are out
/// there. What lies beyond the basic plane is written escaped, and read either way.</summary>
internal static class Golden
{
    public const string Hello = """{"type":"hello","protocol":1,"token":"t","cursor":"1764000000000"}""";
    public const string SendToUser =
        """{"type":"send","client_message_id":"c-1","to":{"user_id":"11111111-1111-1111-1111-111111111111"},"text":"hello"}""";
    public const string SendToConversation =
        """{"type":"send","ref":"7","client_message_id":"c-1","conversation_id":"22222222-2222-5222-8222-222222222222","text":"grüß \uD83D\uDE42","reply_to":"33333333-3333-1333-8333-333333333333"}""";
    public const string Ack = """{"type":"ack","positions":[{"conversation_id":"22222222-2222-5222-8222-222222222222","seq":9}]}""";
    public const string Read = """{"type":"read","ref":"8","conversation_id":"22222222-2222-5222-8222-222222222222","seq":9}""";
    public const string Pull =
        """{"type":"pull","ref":"9","ranges":[{"conversation_id":"22222222-2222-5222-8222-222222222222","after":3,"limit":50},{"conversation_id":"22222222-2222-5222-8222-222222222223","after":0}]}""";
    public const string Ping = """{"type":"ping"}""";
    public const string Welcome =
        """{"type":"welcome","user_id":"11111111-1111-1111-1111-111111111111","device_id":"44444444-4444-4444-8444-444444444444","connection_id":"55555555-5555-7555-8555-555555555555","heartbeat_ms":25000,"server_time":"2026-11-24T10:15:30.123Z","limits":{"frame_bytes":65536,"text_length":4096,"pull_ranges":50,"pull_messages":500,"ack_positions":500}}""";
    public const string Conversation =
        """{"type":"conversation","conversation_id":"22222222-2222-5222-8222-222222222222","kind":"direct","user_id":"11111111-1111-1111-1111-111111111111","head_seq":9,"read_seq":7,"delivered_seq":8,"cleared_seq":0,"unread_count":2,"preview":"hello","last_message_at":"2026-11-24T10:15:30.123Z","others":{"delivered_seq":6,"read_seq":5},"archived":false,"pinned":false}""";
    public const string Synced = """{"type":"synced","cursor":"1764000000000"}""";
    public const string Sent =
        """{"type":"sent","client_message_id":"c-1","conversation_id":"22222222-2222-5222-8222-222222222222","message_id":"33333333-3333-1333-8333-333333333333","seq":9,"created_at":"2026-11-24T10:15:30.123Z","duplicate":false}""";
    public const string Message =
        """{"type":"message","conversation_id":"22222222-2222-5222-8222-222222222222","message_id":"33333333-3333-1333-8333-333333333333","seq":9,"sender_id":"11111111-1111-1111-1111-111111111111","client_message_id":"c-1","kind":"text","text":"grüß \"\uD83D\uDE42\"\n<b>","reply_to":"33333333-3333-1333-8333-333333333332","created_at":"2026-11-24T10:15:30.123Z","edited_at":"2026-11-24T10:16:00.000Z"}""";
    public const string Deleted =
        """{"type":"message","conversation_id":"22222222-2222-5222-8222-222222222222","message_id":"33333333-3333-1333-8333-333333333333","seq":9,"sender_id":"11111111-1111-1111-1111-111111111111","client_message_id":"c-1","kind":"text","created_at":"2026-11-24T10:15:30.123Z","deleted":true}""";
    public const string Deletion =
        """{"type":"message","conversation_id":"22222222-2222-5222-8222-222222222222","message_id":"33333333-3333-1333-8333-333333333334","seq":10,"sender_id":"11111111-1111-1111-1111-111111111111","client_message_id":"c-2","kind":"delete","created_at":"2026-11-24T10:15:30.123Z","target":{"message_id":"33333333-3333-1333-8333-333333333333","seq":9}}""";
    public const string Page =
        """{"type":"page","ref":"9","conversation_id":"22222222-2222-5222-8222-222222222222","messages":[""" + Message + """],"more":true,"head_seq":12}""";
    public const string Receipt =
        """{"type":"receipt","conversation_id":"22222222-2222-5222-8222-222222222222","user_id":"11111111-1111-1111-1111-111111111111","delivered_seq":9,"read_seq":8,"at":"2026-11-24T10:15:30.123Z"}""";
    public const string Acked = """{"type":"acked","ref":"7","positions":[{"conversation_id":"22222222-2222-5222-8222-222222222222","seq":9}]}""";
    public const string Error = """{"type":"error","ref":"7","code":"rate_limited","message":"too many","retryable":true,"retry_after_ms":1500}""";
    public const string Reconnect = """{"type":"reconnect","after_ms":1500,"reason":"restart"}""";
    public const string Pong = """{"type":"pong","server_time":"2026-11-24T10:15:30.123Z"}""";
}
