using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>The REST calls of a signed-in user. A token that expired is refreshed and the call made again, once; every
/// other refusal is a <see cref="ChatException"/>. Safe for concurrent use.</summary>
public sealed partial class ChatRest
{
    private const string PushPath = "devices/current/push";

    private readonly ChatServer _server;
    private readonly ITokenProvider _tokens;

    public ChatRest(ChatServer server, ITokenProvider tokens)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(tokens);
        (_server, _tokens) = (server, tokens);
    }

    /// <summary>The user of a user name; null when there is none.</summary>
    public async Task<ChatUser?> FindUserAsync(string username, CancellationToken cancellationToken = default)
    {
        try
        {
            return await GetAsync($"users?username={Uri.EscapeDataString(username)}", RestJson.Default.ChatUser, cancellationToken);
        }
        catch (ChatException e) when (e.Code == ErrorCode.NotFound.Word())
        {
            return null;
        }
    }

    public Task<ChatUser> GetUserAsync(UserId user, CancellationToken cancellationToken = default) =>
        GetAsync($"users/{user}", RestJson.Default.ChatUser, cancellationToken);

    /// <summary>Sends without a connection; the same <paramref name="clientMessageId"/> gives one message however often
    /// it is called. Exactly one of <paramref name="to"/> and <paramref name="conversation"/>.</summary>
    /// <exception cref="ChatException"><c>conflict</c>: the id was used for other content; <c>blocked</c>.</exception>
    public Task<SentFrame> SendAsync(
        string clientMessageId, string text, UserId? to = null, ConversationId? conversation = null, MessageId? replyTo = null,
        CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Post, "messages",
            () => JsonContent.Create(new(clientMessageId, to is { } user ? new(user) : null, conversation, text, replyTo), RestJson.Default.MessageBody),
            RestJson.Default.SentFrame, cancellationToken);

    /// <summary>The conversations, newest first.</summary>
    /// <param name="cursor">Of the page before; null: from the newest.</param>
    /// <param name="limit">1 to 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<ConversationPage> GetConversationsAsync(
        string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync($"conversations{Query(limit, cursor)}", RestJson.Default.ConversationPage, cancellationToken);

    /// <summary>A page of history, newest first.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="before">Only messages with a lower seq.</param>
    /// <param name="after">Only messages with a greater seq.</param>
    /// <param name="cursor">Of the page before, instead of the two.</param>
    /// <param name="limit">1 to 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ChatException"><c>not_found</c> for who is not a member.</exception>
    public Task<HistoryPage> GetHistoryAsync(
        ConversationId conversation, long? before = null, long? after = null, string? cursor = null, int limit = 50,
        CancellationToken cancellationToken = default) =>
        GetAsync($"conversations/{conversation}/messages{Query(limit, cursor, before, after)}", RestJson.Default.HistoryPage, cancellationToken);

    /// <summary>Mutes, archives or pins a conversation for this user on all his devices; null leaves it as it is.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="mutedUntil">No pushes for it before this; a time that has passed ends the muting.</param>
    /// <param name="archived">Kept out of sight.</param>
    /// <param name="pinned">Kept on top.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<ConversationFrame> SetConversationAsync(
        ConversationId conversation, DateTimeOffset? mutedUntil = null, bool? archived = null, bool? pinned = null,
        CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Patch, $"conversations/{conversation}",
            () => JsonContent.Create(new(mutedUntil, archived, pinned), RestJson.Default.ConversationSettingsBody),
            RestJson.Default.ConversationFrame, cancellationToken);

    public Task<ReadInfo> MarkReadAsync(ConversationId conversation, long seq, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Post, $"conversations/{conversation}/read", () => JsonContent.Create(new(seq), RestJson.Default.ReadBody),
            RestJson.Default.ReadInfo, cancellationToken);

    public Task<MessageFrame> GetMessageAsync(MessageId message, CancellationToken cancellationToken = default) =>
        GetAsync($"messages/{message}", RestJson.Default.MessageFrame, cancellationToken);

    /// <summary>Who got a message and who read it, and when.</summary>
    public Task<MessageInfo> GetMessageInfoAsync(MessageId message, CancellationToken cancellationToken = default) =>
        GetAsync($"messages/{message}/status", RestJson.Default.MessageInfo, cancellationToken);

    /// <summary>Marks everything up to a message delivered or read; a step back changes nothing.</summary>
    public Task SetStatusAsync(MessageId message, MessageStatus status, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Post, $"messages/{message}/status",
            () => JsonContent.Create(new(status == MessageStatus.Read ? "read" : "delivered"), RestJson.Default.StatusBody), cancellationToken);

    /// <summary>Deletes a message, for everyone or for the caller alone.</summary>
    /// <exception cref="ChatException"><c>forbidden</c>: another's message, for everyone.</exception>
    public Task DeleteMessageAsync(MessageId message, bool forEveryone, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"messages/{message}?for={(forEveryone ? "everyone" : "me")}", null, cancellationToken);

    /// <summary>Clears the chat for the caller alone.</summary>
    public Task ClearAsync(ConversationId conversation, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"conversations/{conversation}/messages", null, cancellationToken);

    public Task BlockAsync(UserId user, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Put, $"blocks/{user}", null, cancellationToken);

    public Task UnblockAsync(UserId user, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"blocks/{user}", null, cancellationToken);

    public async Task<IReadOnlyList<UserId>> GetBlocksAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync("blocks", RestJson.Default.BlockList, cancellationToken)).UserIds;

    public async Task<IReadOnlyList<ChatDevice>> GetDevicesAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync("devices", RestJson.Default.DeviceList, cancellationToken)).Devices;

    /// <summary>Has this device pushed to while no device of the user is connected. Called again whenever the platform gives
    /// the app another token; the newest one holds.</summary>
    /// <exception cref="ChatException"><c>invalid_argument</c>: the message says which part can't be.</exception>
    public Task RegisterPushAsync(PushRegistration registration, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(registration);
        return CallAsync(HttpMethod.Put, PushPath, () => JsonContent.Create(registration, RestJson.Default.PushRegistration), cancellationToken);
    }

    /// <summary>Ends pushes to this device.</summary>
    public Task UnregisterPushAsync(CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, PushPath, null, cancellationToken);

    /// <summary>Logs a device of the caller's out, closing its connection.</summary>
    public Task LogOutAsync(DeviceId device, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"devices/{device}", null, cancellationToken);

    private static string Query(int limit, string? cursor, long? before = null, long? after = null)
    {
        var query = new StringBuilder().Append(CultureInfo.InvariantCulture, $"?limit={limit}");
        if (cursor is not null) query.Append("&cursor=").Append(Uri.EscapeDataString(cursor));
        if (before is not null) query.Append(CultureInfo.InvariantCulture, $"&before={before}");
        if (after is not null) query.Append(CultureInfo.InvariantCulture, $"&after={after}");
        return query.ToString();
    }

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        CallAsync(HttpMethod.Get, path, null, type, cancellationToken);

    private Task<T> CallAsync<T>(
        HttpMethod method, string path, Func<HttpContent>? body, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        WithTokenAsync(token => _server.SendAsync(method, path, token, body?.Invoke(), type, cancellationToken), cancellationToken);

    private Task<HttpStatusCode> CallAsync(HttpMethod method, string path, Func<HttpContent>? body, CancellationToken cancellationToken) =>
        WithTokenAsync(async token =>
        {
            using var response = await _server.SendAsync(method, path, token, body?.Invoke(), cancellationToken);
            return response.StatusCode;
        }, cancellationToken);

    private async Task<T> WithTokenAsync<T>(Func<string, Task<T>> call, CancellationToken cancellationToken)
    {
        var token = await _tokens.GetAccessTokenAsync(null, cancellationToken);
        try
        {
            return await call(token);
        }
        catch (ChatException e) when (e.Code == ErrorCode.TokenExpired.Word())
        {
            return await call(await _tokens.GetAccessTokenAsync(token, cancellationToken));
        }
    }
}
