using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WhatsAspire.SystemHarness;
using WhatsAspire.SystemHarness.Crash;
using Xunit;

namespace WhatsAspire.Engines.Tests.Local;

/// <summary>Pushes over real Kafka, Redis, PostgreSQL and Cassandra, while engines and workers die.</summary>
[Trait("Requirement", "R32")]
[Trait("Requirement", "R51")]
public sealed class LocalPushTests(LocalCrashSystem shared) : IClassFixture<LocalCrashSystem>
{
    private const int Phones = 10;
    private const string Worker = "push-worker";

    /// <summary>Kafka's and Cassandra's starts among it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private sealed record Phone(string UserId, string Token);

    [Fact]
    public async Task No_push_is_lost_when_an_engine_or_the_worker_is_killed()
    {
        LocalSystem.Need();
        var system = await shared.SystemAsync(Cancel);
        using var http = new HttpClient();
        using var rest = new Rest(() => shared.Address);
        var run = Guid.NewGuid().ToString("N")[..8];
        var ann = await rest.SignInAsync(await rest.CreateAccountAsync($"ann{run}", Cancel), "desktop", Cancel);
        var phones = new List<Phone>();
        for (var i = 0; i < Phones; i++)
        {
            var account = await rest.CreateAccountAsync($"bob{run}{i}", Cancel);
            phones.Add(new(account.UserId, await RegisterAsync(system, http, await rest.SignInAsync(account, "phone", Cancel))));
        }

        var round = 0;
        await RoundAsync();
        foreach (var engine in LocalSystem.Engines)
        {
            var watching = system.Services(engine);
            await system.KillAsync([system.Engine(engine)], Cancel);
            var sending = RoundAsync();
            await system.ReplacedAsync(engine, watching, 1, Patience, Cancel);
            await sending;
        }

        var workers = system.Services(Worker);
        var last = RoundAsync();
        await system.KillAsync(workers, Cancel);
        await system.ReplacedAsync(Worker, workers, 1, Patience, Cancel);
        await last;

        var received = (await ReceivedAsync(system, http)).Where(shown => phones.Exists(phone => phone.Token == shown.Token)).ToArray();
        TestContext.Current.SendDiagnosticMessage(
            $"{Phones} phones, {round} rounds: {received.Length} notifications, of which {received.Length - received.Distinct().Count()} came twice");

        // Sends to everybody, and waits until every phone has been told of it.
        async Task RoundAsync()
        {
            round++;
            foreach (var phone in phones)
            {
                var message = new Outgoing(Guid.NewGuid().ToString(), "", phone.UserId, IsToGroup: false, $"round {round}");
                while (await rest.SendAsync(ann, message, Cancel) is null) await PauseAsync();
            }

            var began = Stopwatch.GetTimestamp();
            while ((await ReceivedAsync(system, http)).Where(shown => shown.Seq == round).Select(shown => shown.Token).Intersect(phones.Select(p => p.Token)).Count() < Phones)
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"not every phone was told of round {round} within {Patience.TotalSeconds} s");
                await PauseAsync();
            }
        }
    }

    // Neither a server that comes back nor the gateways give a sign of their own.
    private static Task PauseAsync() => Task.Delay(200, Cancel);

    private static Uri Gateways(AppHostProcess system) => Assert.Single(system.Services("push-gateways")).Address!;

    private async Task<string> RegisterAsync(AppHostProcess system, HttpClient http, string accessToken)
    {
        using var made = await http.PostAsJsonAsync(new Uri(Gateways(system), "/devices"), new { provider = "apns" }, Cancel);
        var token = (string)(await made.Content.ReadFromJsonAsync<JsonObject>(Cancel))!["token"]!;
        using var request = new HttpRequestMessage(HttpMethod.Put, new Uri(shared.Address, "/devices/current/push"))
        {
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", accessToken) },
            Content = JsonContent.Create(new { provider = "apns", token }),
        };
        using var answer = await http.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        return token;
    }

    private static async Task<IReadOnlyList<(string Token, long Seq)>> ReceivedAsync(AppHostProcess system, HttpClient http)
    {
        var all = await http.GetFromJsonAsync<JsonArray>(new Uri(Gateways(system), "/received"), Cancel);
        return [.. all!.Select(shown => ((string)shown!["token"]!, (long?)shown["seq"] ?? 0))];
    }
}
