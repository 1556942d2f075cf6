using System.Net;
using System.Text.Json;
using Xunit;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>Groups over REST: who may do what, and what is refused with which words.</summary>
[Trait("Requirement", "R20")]
public sealed class GroupEndpointTests : IAsyncLifetime
{
    private GroupApi _api = null!;
    private Person[] _p = null!;

    public async ValueTask InitializeAsync()
    {
        _api = await GroupApi.StartAsync(new() { ["Groups:MaxMembers"] = "4", ["Groups:MaxInvites"] = "2" });
        _p = await _api.PeopleAsync(6);
    }

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    private static string[] Names(JsonElement json) => [.. json.EnumerateObject().Select(p => p.Name)];

    private async Task<string[]> MembersAsync(string group)
    {
        var answer = await _api.GetAsync(_p[0], $"/groups/{group}/members");
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return [.. answer.Json.GetProperty("members").EnumerateArray()
            .Select(m => $"{Array.FindIndex(_p, p => p.Id == m.GetProperty("user_id").GetString())} {m.GetProperty("role").GetString()}").Order()];
    }

    private static void Done(Answer answer) => Assert.True((HttpStatusCode.NoContent, "") == (answer.Status, answer.Text), answer.Text);

    [Fact]
    public async Task A_group_is_made_with_its_members()
    {
        var made = await _api.PostAsync(_p[0], "/groups", new
        {
            name = "Hikers 🥾",
            member_ids = new[] { _p[1].Id, _p[2].Id, _p[1].Id, _p[0].Id },
            description = "Sundays\nat 9",
            picture = "https://pictures.example/1.jpg",
        });
        Assert.True(made.Status == HttpStatusCode.Created, made.Text);
        Assert.Equal(
            ["group_id", "conversation_id", "name", "description", "picture", "who_may_send", "member_count", "created_by", "created_at", "role"],
            Names(made.Json));
        var id = made.Json.GetProperty("group_id").GetString()!;
        Assert.Equal(id, made.Json.GetProperty("conversation_id").GetString());
        Assert.Equal($"/groups/{id}", made.Headers.Location!.ToString());
        Assert.Equal(("everyone", 3, _p[0].Id, "2026-03-01T12:00:00.000Z", "admin"), (
            made.Json.GetProperty("who_may_send").GetString(), made.Json.GetProperty("member_count").GetInt32(),
            made.Json.GetProperty("created_by").GetString(), made.Json.GetProperty("created_at").GetString(), made.Json.GetProperty("role").GetString()));
        Assert.Equal(["0 admin", "1 member", "2 member"], await MembersAsync(id));
        var seen = await _api.GetAsync(_p[1], $"/groups/{id}");
        Assert.Equal(made.Text.Replace("\"admin\"", "\"member\"", StringComparison.Ordinal), seen.Text);
    }

    [Fact]
    public async Task A_retried_creation_is_one_group()
    {
        var body = new { name = "Hikers", member_ids = new[] { _p[1].Id }, client_group_id = "g-1" };
        var first = await _api.PostAsync(_p[0], "/groups", body);
        var again = await _api.PostAsync(_p[0], "/groups", body);
        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK, first.Text), (first.Status, again.Status, again.Text));
        (await _api.PostAsync(_p[0], "/groups", new { name = "Bikers", client_group_id = "g-1" }))
            .IsProblem(HttpStatusCode.Conflict, "conflict", "client_group_id");
    }

    [Fact]
    public async Task Bad_input_is_refused_with_what_is_allowed()
    {
        var bad = new (object Body, string Part)[]
        {
            (new { }, "name is missing"),
            (new { name = "" }, "name must have 1 to 100 characters"),
            (new { name = new string('x', 101) }, "name must have 1 to 100 characters"),
            (new { name = "  " }, "name must have a visible character"),
            (new { name = "a\nb" }, "no control characters"),
            ("{\"name\":\"\\ud800\"}", "half of a surrogate pair"),
            (new { name = "x", description = new string('x', 513) }, "description must have 0 to 512 characters"),
            (new { name = "x", description = "\0" }, "description must have no control characters"),
            (new { name = "x", picture = "http://p.example/1" }, "picture must be an absolute https address"),
            (new { name = "x", picture = "https://p.example/" + new string('x', 1024) }, "at most 1,024 characters"),
            (new { name = "x", member_ids = new[] { "nobody" } }, "member_ids[0] must be a UUID"),
            (new { name = "x", member_ids = Enumerable.Repeat(_p[1].Id, 5) }, "member_ids must have 0 to 4 user ids"),
            (new { name = "x", client_group_id = "ü" }, "client_group_id must be 1 to 64 characters"),
        };
        foreach (var (body, part) in bad)
            (await _api.PostAsync(_p[0], "/groups", body)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", part);
        // The longest that is allowed, in characters of two units.
        Assert.Equal(HttpStatusCode.Created, (await _api.PostAsync(_p[0], "/groups", new { name = string.Concat(Enumerable.Repeat("🥾", 100)) })).Status);

        var group = await _api.GroupAsync(_p[0], _p[1]);
        (await _api.PatchAsync(_p[0], $"/groups/{group}", new { who_may_send = "nobody" })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "'everyone' or 'admins'");
        (await _api.PatchAsync(_p[0], $"/groups/{group}", new { name = "" })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "name must have 1");
        (await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[1].Id}", new { role = "king" })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "'admin' or 'member'");
        (await _api.PutAsync(_p[0], $"/groups/{group}/members/me")).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "user_id must be a UUID");
        (await _api.GetAsync(_p[0], "/groups/mine")).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "group_id must be a UUID");
        (await _api.GetAsync(_p[0], $"/groups/{group}/members?limit=501")).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "from 1 to 500");
        (await _api.GetAsync(_p[0], $"/groups/{group}/members?cursor=x")).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "next_cursor");
        (await _api.PostAsync(_p[0], $"/groups/{group}/members", new { user_ids = Array.Empty<string>() })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "1 to 4 user ids");
        (await _api.PostAsync(_p[0], $"/groups/{group}/invites", new { expires_in = 0 })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "expires_in must be");
        (await _api.PostAsync(_p[0], $"/groups/{group}/invites", new { max_uses = 0 })).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "max_uses must be");
    }

    [Fact]
    public async Task Who_is_not_in_a_group_gets_the_answers_of_one_that_does_not_exist()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        foreach (var (method, rest, body) in new (string, string, object?)[]
        {
            ("GET", "", null), ("PATCH", "", new { name = "x" }), ("DELETE", "", null), ("GET", "/members", null),
            ("POST", "/members", new { user_ids = new[] { _p[3].Id } }), ("PUT", $"/members/{_p[1].Id}", null),
            ("DELETE", $"/members/{_p[1].Id}", null), ("POST", "/invites", null), ("GET", "/invites", null),
            ("DELETE", $"/invites/{Guid.NewGuid()}", null), ("DELETE", $"/members/{_p[2].Id}", null),
        })
        {
            var there = await _api.SendAsync(_p[2], new(method), $"/groups/{group}{rest}", body);
            var nowhere = await _api.SendAsync(_p[2], new(method), $"/groups/{Guid.NewGuid()}{rest}", body);
            Assert.Equal((nowhere.Status, nowhere.Text), (there.Status, there.Text));
            // Leaving what one is not in is done.
            if (rest == $"/members/{_p[2].Id}") Done(there);
            else there.IsProblem(HttpStatusCode.NotFound, "not_found", "no such group");
        }

        Assert.Equal(["0 admin", "1 member"], await MembersAsync(group));
    }

    [Fact]
    public async Task A_member_who_is_no_admin_changes_nothing()
    {
        var group = await _api.GroupAsync(_p[0], _p[1], _p[2]);
        foreach (var (method, rest, body) in new (string, string, object?)[]
        {
            ("PATCH", "", new { name = "x" }), ("DELETE", "", null), ("POST", "/members", new { user_ids = new[] { _p[3].Id } }),
            ("PUT", $"/members/{_p[3].Id}", null), ("PUT", $"/members/{_p[1].Id}", new { role = "admin" }), ("DELETE", $"/members/{_p[2].Id}", null),
            ("POST", "/invites", null), ("GET", "/invites", null), ("DELETE", $"/invites/{Guid.NewGuid()}", null),
        })
            (await _api.SendAsync(_p[1], new(method), $"/groups/{group}{rest}", body)).IsProblem(HttpStatusCode.Forbidden, "forbidden", "only an admin");
        Assert.Equal(["0 admin", "1 member", "2 member"], await MembersAsync(group));
    }

    [Fact]
    public async Task Admins_change_what_the_group_is_called_and_shows()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var edited = await _api.PatchAsync(_p[0], $"/groups/{group}", new { name = "Bikers", description = "d", who_may_send = "admins", later = 1 });
        Assert.Equal(("Bikers", "d", "admins"), (
            edited.Json.GetProperty("name").GetString(), edited.Json.GetProperty("description").GetString(), edited.Json.GetProperty("who_may_send").GetString()));
        edited = await _api.PatchAsync(_p[0], $"/groups/{group}", new { description = "" });
        Assert.False(edited.Json.TryGetProperty("description", out _));
        Assert.Equal("Bikers", edited.Json.GetProperty("name").GetString());
        Assert.Equal(
            [
                "1 0 System {\"type\":\"created\",\"user_ids\":[\"0\",\"1\"],\"name\":\"Hikers\",\"who_may_send\":\"everyone\"}",
                "2 0 System {\"type\":\"changed\",\"name\":\"Bikers\",\"description\":\"d\",\"who_may_send\":\"admins\"}",
                "3 0 System {\"type\":\"changed\",\"description\":\"\"}",
            ],
            await _api.LogAsync(group, _p));
        // What holds already leaves no trace.
        Assert.Equal(edited.Text, (await _api.PatchAsync(_p[0], $"/groups/{group}", new { name = "Bikers" })).Text);
        Assert.Equal(3, (await _api.LogAsync(group)).Length);
    }

    [Fact]
    public async Task Members_come_go_and_change_their_roles()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        for (var i = 0; i < 2; i++)
        {
            Done(await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}"));
            Done(await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[3].Id}", new { role = "admin" }));
            Done(await _api.PutAsync(_p[3], $"/groups/{group}/members/{_p[1].Id}", new { role = "admin" }));
            Done(await _api.PutAsync(_p[3], $"/groups/{group}/members/{_p[1].Id}", new { role = "member" }));
        }

        for (var i = 0; i < 2; i++)
        {
            Done(await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[1].Id}"));
            Done(await _api.DeleteAsync(_p[2], $"/groups/{group}/members/{_p[2].Id}"));
        }

        Assert.Equal(["0 admin", "3 admin"], await MembersAsync(group));
        Assert.Equal(
            [
                "{\"type\":\"added\",\"user_ids\":[\"2\"]}", "{\"type\":\"added\",\"user_ids\":[\"3\"],\"role\":\"admin\"}",
                "{\"type\":\"role\",\"user_ids\":[\"1\"],\"role\":\"admin\"}", "{\"type\":\"role\",\"user_ids\":[\"1\"],\"role\":\"member\"}",
                "{\"type\":\"role\",\"user_ids\":[\"1\"],\"role\":\"admin\"}", "{\"type\":\"role\",\"user_ids\":[\"1\"],\"role\":\"member\"}",
                "{\"type\":\"removed\",\"user_ids\":[\"1\"]}", "{\"type\":\"left\",\"user_ids\":[\"2\"]}",
            ],
            (await _api.LogAsync(group, _p))[1..].Select(line => line.Split(' ')[3]));
    }

    [Fact]
    public async Task Who_can_not_be_added_is_named()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var nobody = Guid.NewGuid().ToString();
        (await _api.PostAsync(_p[0], $"/groups/{group}/members", new { user_ids = new[] { _p[2].Id, nobody } }))
            .IsProblem(HttpStatusCode.NotFound, "not_found", $"no such user: {nobody}");
        (await _api.PostAsync(_p[0], "/groups", new { name = "x", member_ids = new[] { nobody } }))
            .IsProblem(HttpStatusCode.NotFound, "not_found", $"no such user: {nobody}");
        Done(await _api.PutAsync(_p[2], $"/blocks/{_p[0].Id}"));
        (await _api.PostAsync(_p[0], $"/groups/{group}/members", new { user_ids = new[] { _p[2].Id, _p[3].Id } }))
            .IsProblem(HttpStatusCode.Forbidden, "blocked", _p[2].Id);
        (await _api.PostAsync(_p[0], $"/groups/{group}/members", new { user_ids = new[] { _p[3].Id, _p[4].Id, _p[5].Id } }))
            .IsProblem(HttpStatusCode.Conflict, "conflict", "more than 4 members");
        Assert.Equal(["0 admin", "1 member"], await MembersAsync(group));
        Done(await _api.PostAsync(_p[0], $"/groups/{group}/members", new { user_ids = new[] { _p[3].Id, _p[4].Id } }));
        Assert.Equal(["0 admin", "1 member", "3 member", "4 member"], await MembersAsync(group));
    }

    [Fact]
    public async Task Members_are_listed_in_pages()
    {
        var group = await _api.GroupAsync(_p[..4]);
        var seen = new List<string>();
        string? cursor = null;
        do
        {
            var page = await _api.GetAsync(_p[1], $"/groups/{group}/members?limit=3{(cursor is null ? "" : $"&cursor={cursor}")}");
            seen.AddRange(page.Json.GetProperty("members").EnumerateArray().Select(m => m.GetProperty("user_id").GetString()!));
            cursor = page.Json.TryGetProperty("next_cursor", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        Assert.Equal(_p[..4].Select(p => p.Id).Order(StringComparer.Ordinal), seen);
    }

    [Fact]
    public async Task There_is_always_an_admin_and_a_deleted_group_is_gone_for_all()
    {
        var group = await _api.GroupAsync(_p[0], _p[1], _p[2]);
        (await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[0].Id}", new { role = "member" })).IsProblem(HttpStatusCode.Conflict, "conflict", "needs an admin");
        Done(await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[0].Id}"));
        var heir = (await _api.GetAsync(_p[1], $"/groups/{group}")).Json.GetProperty("role").GetString() == "admin" ? _p[1] : _p[2];
        Assert.Equal("admin", (await _api.GetAsync(heir, $"/groups/{group}")).Json.GetProperty("role").GetString());
        Done(await _api.DeleteAsync(heir, $"/groups/{group}"));
        foreach (var person in _p[..3]) (await _api.GetAsync(person, $"/groups/{group}")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such group");
        (await _api.TextAsync(heir, group, "hello?")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such conversation");
    }

    [Fact]
    public async Task Who_has_a_code_joins_while_it_is_good()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var made = await _api.PostAsync(_p[0], $"/groups/{group}/invites", new { expires_in = 60, max_uses = 1 });
        Assert.Equal(HttpStatusCode.Created, made.Status);
        Assert.Equal(["invite_id", "code", "created_by", "created_at", "expires_at", "max_uses", "uses"], Names(made.Json));
        var code = made.Json.GetProperty("code").GetString()!;
        Assert.Equal(22, code.Length);
        var listed = await _api.GetAsync(_p[0], $"/groups/{group}/invites");
        Assert.False(Assert.Single(listed.Json.GetProperty("invites").EnumerateArray()).TryGetProperty("code", out _));

        var preview = await _api.GetAsync(_p[2], $"/invites/{code}");
        Assert.Equal(["name", "member_count", "expires_at"], Names(preview.Json));
        Assert.Equal(("Hikers", 2), (preview.Json.GetProperty("name").GetString(), preview.Json.GetProperty("member_count").GetInt32()));
        for (var i = 0; i < 2; i++)
        {
            var joined = await _api.PostAsync(_p[2], $"/invites/{code}");
            Assert.Equal((HttpStatusCode.OK, group, "member"), (joined.Status, joined.Json.GetProperty("group_id").GetString(), joined.Json.GetProperty("role").GetString()));
        }

        Assert.Equal("2 2 System {\"type\":\"joined\",\"user_ids\":[\"2\"]}", (await _api.LogAsync(group, _p))[1]);
        (await _api.GetAsync(_p[3], $"/invites/{code}")).IsProblem(HttpStatusCode.Gone, "gone", "used up");
        (await _api.PostAsync(_p[3], $"/invites/{code}")).IsProblem(HttpStatusCode.Gone, "gone", "used up");
        foreach (var wrong in new[] { "x", new string('A', 22), new string('!', 22) })
        {
            (await _api.GetAsync(_p[3], $"/invites/{wrong}")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such invite");
            (await _api.PostAsync(_p[3], $"/invites/{wrong}")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such invite");
        }
    }

    [Fact]
    public async Task An_invite_ends_by_time_by_an_admin_and_with_the_room()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        async Task<(string Id, string Code)> InviteAsync(object? body)
        {
            var made = await _api.PostAsync(_p[0], $"/groups/{group}/invites", body);
            Assert.True(made.Status == HttpStatusCode.Created, made.Text);
            return (made.Json.GetProperty("invite_id").GetString()!, made.Json.GetProperty("code").GetString()!);
        }

        var (_, brief) = await InviteAsync(new { expires_in = 1 });
        var (id, lasting) = await InviteAsync(null);
        (await _api.PostAsync(_p[0], $"/groups/{group}/invites")).IsProblem(HttpStatusCode.Conflict, "conflict", "at most 2 invites");
        _api.Time.Advance(TimeSpan.FromSeconds(1));
        (await _api.PostAsync(_p[2], $"/invites/{brief}")).IsProblem(HttpStatusCode.Gone, "gone", "expired");
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[2], $"/invites/{lasting}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[3], $"/invites/{lasting}")).Status);
        (await _api.PostAsync(_p[4], $"/invites/{lasting}")).IsProblem(HttpStatusCode.Conflict, "conflict", "more than 4 members");
        for (var i = 0; i < 2; i++) Done(await _api.DeleteAsync(_p[0], $"/groups/{group}/invites/{id}"));
        (await _api.GetAsync(_p[4], $"/invites/{lasting}")).IsProblem(HttpStatusCode.Gone, "gone", "revoked");
    }
}
