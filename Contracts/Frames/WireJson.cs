using System.Text.Json.Serialization;

namespace WhatsAspire.Contracts.Frames;

/// <summary>Source-generated serialization of every frame: snake_case, absent instead of null, UTC milliseconds.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowDuplicateProperties = true,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(HelloFrame))]
[JsonSerializable(typeof(SendFrame))]
[JsonSerializable(typeof(AckFrame))]
[JsonSerializable(typeof(ReadFrame))]
[JsonSerializable(typeof(PullFrame))]
[JsonSerializable(typeof(PingFrame))]
[JsonSerializable(typeof(WelcomeFrame))]
[JsonSerializable(typeof(ConversationFrame))]
[JsonSerializable(typeof(SyncedFrame))]
[JsonSerializable(typeof(SentFrame))]
[JsonSerializable(typeof(MessageFrame))]
[JsonSerializable(typeof(GroupChange))]
[JsonSerializable(typeof(PageFrame))]
[JsonSerializable(typeof(ReceiptFrame))]
[JsonSerializable(typeof(AckedFrame))]
[JsonSerializable(typeof(ErrorFrame))]
[JsonSerializable(typeof(ReconnectFrame))]
[JsonSerializable(typeof(PongFrame))]
public sealed partial class WireJson : JsonSerializerContext;
