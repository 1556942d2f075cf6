using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>An account with the tokens of its devices.</summary>
internal sealed record Account(string UserId, string Username);

/// <summary>REST through the public address, wherever that is at the moment.</summary>
internal sealed class Rest(Func<Uri> address) : IDisposable
{
    private const string Password = "correct horse battery";

    /// <summary>For an engine to come back.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(15) };

    public void Dispose() => _http.Dispose();

    public async Task<Account> CreateAccountAsync(string username, CancellationToken cancellationToken)
    {
        var created = await OkAsync(
            new(HttpMethod.Post, new Uri(address(), "accounts")) { Content = Body(new { username, password = Password }) }, cancellationToken);
        return new(created.UserId!, username);
    }

    /// <summary>Signs a new device in.</summary>
    /// <returns>Its access token.</returns>
    public async Task<string> SignInAsync(Account account, string device, CancellationToken cancellationToken) => (await OkAsync(
        new(HttpMethod.Post, new Uri(address(), "tokens"))
        {
            Content = Body(new { account.Username, password = Password, device = new { name = device, platform = "test" } }),
        }, cancellationToken)).AccessToken!;

    /// <summary>Makes a group.</summary>
    /// <returns>Its id, which is also its conversation's.</returns>
    public async Task<string> CreateGroupAsync(string token, string name, IEnumerable<string> members, CancellationToken cancellationToken)
    {
        using var request = Authorized(HttpMethod.Post, "groups", token);
        request.Content = Body(new { name, member_ids = members });
        using var response = await _http.SendAsync(request, cancellationToken);
        return (await FrameAsync(request, response, cancellationToken)).ConversationId!;
    }

    /// <summary>Sends a text.</summary>
    /// <returns>Null when the server could not be reached or was not able to, and may be asked again.</returns>
    /// <exception cref="InvalidDataException">It was refused for good.</exception>
    public async Task<Frame?> SendAsync(string token, Outgoing message, CancellationToken cancellationToken)
    {
        using var request = Authorized(HttpMethod.Post, "messages", token);
        request.Content = Body(message.IsToGroup
            ? new { message.ClientMessageId, conversation_id = message.To, message.Text }
            : new { message.ClientMessageId, to = new { user_id = message.To }, message.Text });
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.StatusCode is >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests) return null;
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode) throw new InvalidDataException($"POST /messages was answered {(int)response.StatusCode}: {body}");
            var sent = Wire.Read(System.Text.Encoding.UTF8.GetBytes(body));
            return sent with { Duplicate = response.StatusCode == HttpStatusCode.OK };
        }
        catch (Exception lost) when (lost is HttpRequestException or IOException
            || (lost is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>The whole history of a conversation, read page by page, ascending.</summary>
    public async Task<IReadOnlyList<Frame>> GetHistoryAsync(string token, string conversation, CancellationToken cancellationToken)
    {
        var history = new List<Frame>();
        string? cursor = null;
        do
        {
            var page = await ReadAsync(
                $"conversations/{conversation}/messages?limit=100{(cursor is null ? "" : $"&cursor={cursor}")}", token, cancellationToken);
            history.AddRange(page.Messages!);
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        history.Reverse();
        return history;
    }

    /// <summary>All summaries, by conversation.</summary>
    public async Task<IReadOnlyDictionary<string, Frame>> GetConversationsAsync(string token, CancellationToken cancellationToken) =>
        (await ReadAsync("conversations?limit=100", token, cancellationToken))
            .Conversations!.ToDictionary(summary => summary.ConversationId!);

    private HttpRequestMessage Authorized(HttpMethod method, string path, string token) => new(method, new Uri(address(), path))
    {
        Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };

    private static ByteArrayContent Body(object body) => new(Wire.Write(body))
    {
        Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
    };

    /// <summary>Reads, again and again while the answer is that a part which is needed is away: it may have been killed.</summary>
    private async Task<Frame> ReadAsync(string path, string token, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            using var request = Authorized(HttpMethod.Get, path, token);
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.ServiceUnavailable || Stopwatch.GetElapsedTime(started) > Patience)
                return await FrameAsync(request, response, cancellationToken);
            await Task.Delay(response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1), cancellationToken);
        }
    }

    private async Task<Frame> OkAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            return await FrameAsync(request, response, cancellationToken);
        }
    }

    private static async Task<Frame> FrameAsync(
        HttpRequestMessage request, HttpResponseMessage response, CancellationToken cancellationToken) => response.IsSuccessStatusCode
        ? (await response.Content.ReadFromJsonAsync<Frame>(Wire.Json, cancellationToken))!
        : throw new InvalidDataException(
            $"{request.Method} {request.RequestUri} was answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellationToken)}");
}
