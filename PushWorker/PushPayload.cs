using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace WhatsAspire.PushWorker;

/// <summary>What the payloads for all providers have in common: the names that apps read.</summary>
internal static class PushPayload
{
    public const string ConversationId = "conversation_id";
    public const string MessageId = "message_id";
    public const string Seq = "seq";
    public const string Badge = "badge";
    public const string Silent = "silent";
    public const string Title = "title";
    public const string Body = "body";

    private static readonly JsonWriterOptions Options = new()
    {
        // No payload becomes part of a page; escapes would take six bytes for a letter that needs two.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
