using System.Globalization;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushGateways;

/// <summary>Numbers as the payloads have them: as such, or as text.</summary>
internal static class JsonNumbers
{
    public static long? AsNumber(this JsonNode? node) =>
        node is JsonValue && long.TryParse(node.ToString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
}
