namespace WhatsAspire.ChatEdge.Tests;

/// <summary>Dashboards and alerts are built on these names.</summary>
public sealed class EdgeTelemetryTests
{
    [Fact]
    public void Names_are_what_they_always_were() => Assert.Equal(
        new Dictionary<string, string>
        {
            ["Name"] = "WhatsAspire.ChatEdge",
            ["Connections"] = "whatsaspire.edge.connections",
            ["Closed"] = "whatsaspire.edge.connections.closed",
            ["Sends"] = "whatsaspire.edge.send.duration",
            ["Refused"] = "whatsaspire.edge.refused",
            ["CatchUps"] = "whatsaspire.edge.catch_ups",
            ["Repairs"] = "whatsaspire.edge.deliveries.repaired",
            ["GroupRounds"] = "whatsaspire.edge.group_positions",
            ["Redeliveries"] = "whatsaspire.edge.redeliveries",
        },
        typeof(EdgeTelemetry).GetFields().Where(f => f.IsLiteral).ToDictionary(f => f.Name, f => (string)f.GetRawConstantValue()!));
}
