using System.Diagnostics;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Connections that say nothing.</summary>
[Trait("Requirement", "R14")]
public sealed class SilenceWireTests(WireSystem system) : WireTest(system)
{
    /// <summary>All in one, since each has to wait.</summary>
    [Fact]
    public async Task Without_hello_it_closes_after_10_s_and_when_silent_after_30_s_but_not_while_it_pings()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var started = Stopwatch.GetTimestamp();
        var silent = await ConnectAsync(ann, System.FirstEdge);
        var pinging = await ConnectAsync(bob, System.FirstEdge);
        var mute = await OpenAsync(System.FirstEdge, ann.Token);
        var chatty = await OpenAsync(System.OtherEdge, ann.Token);
        // Pings don't stand for a hello.
        await chatty.SendTextAsync("""{"type":"ping"}""", Cancellation);

        Assert.Equal(4408, await mute.ClosedAsync(Cancellation));
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 9.5, 14);
        Assert.Equal(4408, await chatty.ClosedAsync(Cancellation));
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 9.5, 14);

        await pinging.SendTextAsync("""{"type":"ping"}""", Cancellation);
        await pinging.ReceiveAsync("pong", Cancellation);
        Assert.Equal(4408, await silent.ClosedAsync(Cancellation, TimeSpan.FromSeconds(30)));
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 29.5, 35);
        await pinging.SendTextAsync("""{"type":"ping","ref":"still here"}""", Cancellation);
        Assert.Equal("still here", (string?)(await pinging.ReceiveAsync("pong", Cancellation))["ref"]);
    }
}
