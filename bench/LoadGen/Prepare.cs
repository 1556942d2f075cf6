using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Bench;

/// <summary>Makes the accounts u0..uN-1 of a WhatsAspire, signs a device of each in, and writes a line with user id and
/// access token for each.</summary>
public static class Prepare
{
    public static async Task RunAsync(Options o)
    {
        var n = o.Int("users", 200);
        using var http = new HttpClient { BaseAddress = new Uri(o.Str("rest", "http://127.0.0.1:8080")) };
        var lines = new string[n];
        await Parallel.ForAsync(0, n, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, cancel) =>
        {
            var made = await http.PostAsJsonAsync("/accounts", new { username = $"bench-u{i}", password = "bench-password" }, cancel);
            if (!made.IsSuccessStatusCode && (int)made.StatusCode != 409) throw new IOException($"account {i}: {(int)made.StatusCode}");
            var token = await http.PostAsJsonAsync("/tokens", new
            {
                username = $"bench-u{i}",
                password = "bench-password",
                device = new { name = "loadgen", platform = "bench" },
            }, cancel);
            token.EnsureSuccessStatusCode();
            var json = (await token.Content.ReadFromJsonAsync<JsonObject>(cancel))!;
            lines[i] = $"{json["user_id"]} {json["access_token"]}";
        });
        await File.WriteAllLinesAsync(o.Str("file", "tokens.txt"), lines);
    }
}
