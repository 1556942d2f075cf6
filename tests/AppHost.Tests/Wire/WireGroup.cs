using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>A group as its maker made it over REST.</summary>
internal sealed class WireGroup(WireSystem system, WireUser maker, string id)
{
    /// <summary>The id of the group and of its conversation.</summary>
    public string Id => id;

    /// <summary>Makes a group.</summary>
    public static async Task<WireGroup> CreateAsync(
        WireSystem system, WireUser maker, IEnumerable<WireUser> members, CancellationToken cancellationToken)
    {
        var made = (await maker.PostAsync(
            "/groups", new { name = "friends", member_ids = members.Select(m => m.Id).ToArray() }, cancellationToken)).Good;
        Assert.Equal((string?)made["group_id"], (string?)made["conversation_id"]);
        return new(system, maker, (string)made["group_id"]!);
    }

    /// <summary>Asks about the group, as its maker or as another.</summary>
    public Task<Answer> SendAsync<T>(HttpMethod method, string path, T? body, CancellationToken cancellationToken, WireUser? by = null)
        where T : class =>
        WireUser.SendAsync(system, method, $"/groups/{id}{path}", body, (by ?? maker).Token, cancellationToken);

    /// <summary>Adds a user.</summary>
    public async Task AddAsync(WireUser user, CancellationToken cancellationToken) =>
        _ = (await SendAsync(HttpMethod.Put, $"/members/{user.Id}", new { role = "member" }, cancellationToken)).Good;

    /// <summary>Removes a user.</summary>
    public async Task RemoveAsync(WireUser user, CancellationToken cancellationToken, WireUser? by = null) =>
        _ = (await SendAsync<object>(HttpMethod.Delete, $"/members/{user.Id}", null, cancellationToken, by)).Good;

    /// <summary>Sends a text over a connection.</summary>
    /// <returns>The <c>sent</c>.</returns>
    public async Task<JsonObject> SendTextAsync(WireSocket socket, string text, CancellationToken cancellationToken)
    {
        var clientMessageId = Guid.NewGuid().ToString();
        await socket.SendAsync(new { type = "send", client_message_id = clientMessageId, conversation_id = id, text }, cancellationToken);
        return await socket.ReceiveAsync("sent", sent => (string?)sent["client_message_id"] == clientMessageId, cancellationToken);
    }

    /// <summary>The next message of the group.</summary>
    public Task<JsonObject> MessageAsync(WireSocket socket, CancellationToken cancellationToken) =>
        socket.ReceiveAsync("message", message => (string?)message["conversation_id"] == id, cancellationToken);
}
