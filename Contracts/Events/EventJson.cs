using System.Text.Json.Serialization;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Contracts.Events;

/// <summary>Source-generated serialization of every event of the queue, in the form that frames have.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(FanoutEvent))]
[JsonSerializable(typeof(PushEvent))]
[JsonSerializable(typeof(RedeliveryEvent))]
public sealed partial class EventJson : JsonSerializerContext;
