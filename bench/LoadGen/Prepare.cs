using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Bench;

/// <summary>Makes the accounts u0..uN-1 of a WhatsAspire, signs a device of each in, and writes a line with user id and
/// access token for each. With <c>--group M</c> the first M are put into a group, whose id goes into <c>--group-file</c>.</summary>
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
        if (o.Int("group", 0) is > 0 and var members) await MakeGroupAsync(http, lines, members, o.Str("group-file", "group.txt"));
    }

    private static async Task MakeGroupAsync(HttpClient http, string[] lines, int members, string file)
    {
        using var make = new HttpRequestMessage(HttpMethod.Post, "/groups")
        {
            Content = JsonContent.Create(new { name = "bench", member_ids = lines.Take(members).Skip(1).Select(l => l.Split(' ')[0]) }),
        };
        make.Headers.Authorization = new("Bearer", lines[0].Split(' ')[1]);
        var made = await http.SendAsync(make);
        if (!made.IsSuccessStatusCode) throw new IOException($"the group: {(int)made.StatusCode} {await made.Content.ReadAsStringAsync()}");
        await File.WriteAllTextAsync(file, (string)(await made.Content.ReadFromJsonAsync<JsonObject>())!["group_id"]!);
    }
}
