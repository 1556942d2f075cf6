using WhatsAspire.SystemHarness;
using Xunit;

namespace WhatsAspire.Engines.Tests.Local;

[Trait("Requirement", "R50")]
[Trait("Requirement", "R51")]
public sealed class LocalLifecycleTests
{
    private static readonly TimeSpan Orphans = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Engines_run_as_processes_that_end_with_the_AppHost_and_keep_their_data_and_ports()
    {
        LocalSystem.Need();
        var data = System.IO.Directory.CreateTempSubdirectory("whatsaspire-local-");
        File.SetUnixFileMode(data.FullName, File.GetUnixFileMode(data.FullName) | UnixFileMode.OtherExecute);
        try
        {
            Dictionary<string, int> ports;
            await using (var first = await StartAsync(data.FullName))
            {
                TestContext.Current.SendDiagnosticMessage($"ready on local engines after {first.StartTook.TotalSeconds:F1} s, data made anew");
                Assert.Equal(new[] { "chat-edge", "chat-edge", "fanout-worker", "message-api", "message-api", "push-gateways", "push-worker" }.Concat(LocalSystem.Engines).Order(), first.Services().Select(s => s.Name).Order());
                Assert.Contains("engines: local (asked for)", first.Log, StringComparison.Ordinal);
                Assert.Equal("redis-server", first.Engine(Engine.Redis).Name);
                Assert.Equal("postgres", first.Engine(Engine.Postgres).Name);
                ports = LocalSystem.Engines.ToDictionary(e => e, e => LocalSystem.PortOf(data.FullName, e));
                await SignUpAsync(first, "ann");
                Assert.Equal(0, await first.StopAsync(cancellationToken: Cancel));
                await first.GoneAsync(Orphans, Cancel);
            }

            await using var second = await StartAsync(data.FullName);
            TestContext.Current.SendDiagnosticMessage($"ready on local engines after {second.StartTook.TotalSeconds:F1} s, with data");
            Assert.Equal(ports, LocalSystem.Engines.ToDictionary(e => e, e => LocalSystem.PortOf(data.FullName, e)));
            // The name is taken: the account is in PostgreSQL, and is still there.
            Assert.Equal(System.Net.HttpStatusCode.Conflict, await SignUpAsync(second, "ann"));
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_engine_outlives_an_AppHost_that_is_killed(bool withOrchestrator)
    {
        LocalSystem.Need();
        await using var system = await StartAsync(null);
        Assert.Contains(system.Processes(), p => p.Name == "postgres");

        if (withOrchestrator) await system.KillAsync([.. system.Processes().Where(p => !p.IsService && p.Name is not ("postgres" or "redis-server" or "java"))], Cancel);
        else await system.KillAppHostAsync(Cancel);

        await system.GoneAsync(Orphans, Cancel);
    }

    private static Task<AppHostProcess> StartAsync(string? data) =>
        AppHostProcess.StartAsync(data, arguments: LocalSystem.Arguments, cancellationToken: Cancel);

    private static async Task<System.Net.HttpStatusCode> SignUpAsync(AppHostProcess system, string name)
    {
        using var http = new HttpClient { BaseAddress = system.BaseAddress };
        using var body = new StringContent(
            $$"""{"username":"{{name}}","password":"correct horse battery"}""", System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("accounts", UriKind.Relative), body, Cancel);
        return response.StatusCode;
    }
}
