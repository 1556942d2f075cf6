using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed partial class LifecycleTests
{
    /// <summary>How long the last process may outlive the AppHost.</summary>
    private static readonly TimeSpan Orphans = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_gets_ready_and_ends_on_a_signal_without_leaving_a_process()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        // How long it takes is for a quiet machine to say; here it is reported, and bounded by the fixture's patience.
        TestContext.Current.SendDiagnosticMessage($"Ready after {system.StartTook.TotalSeconds:F1} s.");
        Assert.Equal(["chat-edge", "chat-edge", "fanout-worker", "message-api", "push-gateways", "push-worker", "redis"], system.Services().Select(service => service.Name));
        Assert.Contains("engines: embedded", system.Log, StringComparison.Ordinal);
        Assert.Contains($"data: {system.DataPath}", system.Log, StringComparison.Ordinal);
        Assert.Contains("dashboard: http://localhost:", system.Log, StringComparison.Ordinal);
        Assert.Contains($"public address: {system.BaseAddress.OriginalString}", system.Log, StringComparison.Ordinal);
        using var client = new HttpClient { BaseAddress = system.BaseAddress };
        var report = JsonNode.Parse(await client.GetStringAsync("/health/ready", Cancellation));
        Assert.Equal("Healthy", (string?)report?["status"]);

        Assert.Equal(0, await system.StopAsync(cancellationToken: Cancellation));
        Assert.Empty(system.Services());
        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task An_interrupt_from_the_keyboard_leaves_no_process_even_during_the_start()
    {
        Assert.SkipWhen(OperatingSystem.IsLinux() && LinuxProcesses.IgnoresInterrupts(),
            "SIGINT is ignored here, as for the background jobs of a shell, and what is started inherits that.");
        await using var system = AppHostProcess.Begin();
        await system.LoggedAsync(EnginesLine(), AppHostProcess.StartTimeout, Cancellation);

        await system.StopAsync(interrupt: true, Cancellation);

        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task A_kill_of_the_AppHost_leaves_no_process()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        await system.KillAppHostAsync(Cancellation);

        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task Services_end_even_when_AppHost_and_orchestrator_are_killed_at_once()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        await system.KillAsync([.. system.Processes().Where(process => !process.IsService)], Cancellation);

        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task Why_a_service_ended_is_said()
    {
        await using var system = AppHostProcess.Begin(environment: new Dictionary<string, string> { ["Storage__QueueLength"] = "0" });
        await system.LoggedAsync(EndedForItsSetting(), AppHostProcess.StartTimeout, Cancellation);
    }

    [GeneratedRegex("^engines: ")]
    private static partial Regex EnginesLine();

    [GeneratedRegex(@"message-api-\S+ ended with exit code \S+ \(.*QueueLength.*\), and is started again")]
    private static partial Regex EndedForItsSetting();
}
