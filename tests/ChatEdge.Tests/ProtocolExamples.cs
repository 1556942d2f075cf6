using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.ChatEdge.Tests;

/// <summary>What docs/protocol.md shows is what the server takes and writes.</summary>
public sealed partial class ProtocolExamples
{
    private static readonly string[] ClientTypes = ["hello", "send", "ack", "read", "pull", "ping"];

    private static readonly Dictionary<string, Type> ServerTypes = new()
    {
        ["welcome"] = typeof(WelcomeFrame),
        ["conversation"] = typeof(ConversationFrame),
        ["synced"] = typeof(SyncedFrame),
        ["sent"] = typeof(SentFrame),
        ["message"] = typeof(MessageFrame),
        ["page"] = typeof(PageFrame),
        ["receipt"] = typeof(ReceiptFrame),
        ["acked"] = typeof(AckedFrame),
        ["error"] = typeof(ErrorFrame),
        ["pong"] = typeof(PongFrame),
    };

    [GeneratedRegex("```json (client|server)\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Example();

    private static IEnumerable<string> Examples(string side) =>
        Example().Matches(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "protocol.md")))
            .Where(match => match.Groups[1].Value == side).Select(match => match.Groups[2].Value);

    [Fact]
    public void Every_client_frame_has_an_example_that_the_edge_accepts()
    {
        var seen = new HashSet<string>();
        foreach (var example in Examples("client"))
        {
            var frame = ClientFrame.Parse(Encoding.UTF8.GetBytes(example));
            Assert.True(frame.Fault is null, $"{example}: {frame.Fault?.Message}");
            seen.Add(frame.Type!);
        }

        Assert.Equal(ClientTypes.Order(), seen.Order());
    }

    [Fact]
    public void Every_server_frame_has_an_example_that_its_record_reads_and_writes_unchanged()
    {
        var seen = new HashSet<string>();
        foreach (var example in Examples("server"))
        {
            var type = (string)JsonNode.Parse(example)!["type"]!;
            var frame = JsonSerializer.Deserialize(example, ServerTypes[type], WireJson.Default)!;
            Assert.Equal(example, JsonSerializer.Serialize(frame, ServerTypes[type], WireJson.Default));
            seen.Add(type);
        }

        Assert.Equal(ServerTypes.Keys.Order(), seen.Order());
    }
}
