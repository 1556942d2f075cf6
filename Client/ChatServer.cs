using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <summary>Where a deployment is reached: one or several base addresses that mean the same, tried in turn. Makes the
/// calls that need no token. Safe for concurrent use.</summary>
public sealed class ChatServer : IDisposable
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);
    private readonly HttpClient _http;
    private int _preferred;

    /// <param name="addresses">At least one, such as <c>http://localhost:8080</c>.</param>
    /// <param name="handler">Sends the requests; it is not disposed. Null: one of its own.</param>
    /// <exception cref="ArgumentException">No address, or not an http(s) one.</exception>
    public ChatServer(IReadOnlyList<Uri> addresses, HttpMessageHandler? handler = null)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        if (addresses.Count == 0 || addresses.Any(a => !a.IsAbsoluteUri || a.Scheme is not ("http" or "https")))
            throw new ArgumentException("at least one absolute http or https address is needed", nameof(addresses));
        Addresses = [.. addresses.Select(a => a.AbsoluteUri.EndsWith('/') ? a : new Uri(a.AbsoluteUri + "/"))];
        _http = handler is null
            ? new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
            : new(handler, disposeHandler: false);
        _http.Timeout = RequestTimeout;
    }

    /// <summary>One address.</summary>
    public ChatServer(Uri address) : this([address])
    {
    }

    /// <summary>The base addresses; each ends with a slash.</summary>
    public IReadOnlyList<Uri> Addresses { get; }

    /// <summary><c>POST /accounts</c>.</summary>
    /// <exception cref="ChatException"><c>conflict</c> when the name is taken.</exception>
    public Task<ChatUser> CreateAccountAsync(
        string username, string password, string? displayName = null, CancellationToken cancellationToken = default) =>
        SendAsync(HttpMethod.Post, "accounts", null, JsonContent.Create(new(username, password, displayName), RestJson.Default.AccountBody),
            RestJson.Default.ChatUser, cancellationToken);

    /// <summary><c>POST /tokens</c> with a password.</summary>
    /// <param name="username">The user name.</param>
    /// <param name="password">The password.</param>
    /// <param name="deviceName">As the owner calls the device, 1 to 64 characters.</param>
    /// <param name="platform">Such as <c>desktop</c>.</param>
    /// <param name="device">A device that signs in again; null makes a new one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ChatException"><c>unauthenticated</c> when name or password is wrong.</exception>
    public Task<ChatTokens> SignInAsync(
        string username, string password, string deviceName, string platform = "dotnet", DeviceId? device = null,
        CancellationToken cancellationToken = default) =>
        SendAsync(HttpMethod.Post, "tokens", null,
            JsonContent.Create(new(username, password, new(deviceName, platform), device), RestJson.Default.TokenBody),
            RestJson.Default.ChatTokens, cancellationToken);

    /// <summary><c>POST /tokens</c> with a refresh token, which is used up by it.</summary>
    /// <exception cref="ChatException"><c>unauthenticated</c> when it is unknown or was used before.</exception>
    public Task<ChatTokens> RefreshAsync(string refreshToken, CancellationToken cancellationToken = default) =>
        SendAsync(HttpMethod.Post, "tokens", null,
            JsonContent.Create(new(RefreshToken: refreshToken), RestJson.Default.TokenBody), RestJson.Default.ChatTokens, cancellationToken);

    public void Dispose() => _http.Dispose();

    internal async Task<T> SendAsync<T>(
        HttpMethod method, string path, string? token, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(method, path, token, body, cancellationToken);
        try
        {
            return await response.Content.ReadFromJsonAsync(type, cancellationToken)
                ?? throw new ChatException(ErrorCode.Internal.Word(), "the server answered null");
        }
        catch (JsonException e)
        {
            throw new ChatException(ErrorCode.Internal.Word(), "the server's answer is not what was expected", inner: e);
        }
        catch (HttpRequestException e)
        {
            throw ChatException.Unavailable("the connection broke within the answer", e);
        }
    }

    /// <summary>Tries the addresses in turn until one takes the request.</summary>
    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? token, HttpContent? body, CancellationToken cancellationToken)
    {
        // Small bodies, sent again to the next address: as bytes, since a content can be sent once only.
        var bytes = body is null ? null : await body.ReadAsByteArrayAsync(cancellationToken);
        var first = Volatile.Read(ref _preferred);
        for (var i = 0; ; i++)
        {
            var index = (first + i) % Addresses.Count;
            using var request = new HttpRequestMessage(method, new Uri(Addresses[index], path));
            if (token is not null) request.Headers.Authorization = new("Bearer", token);
            if (bytes is not null) request.Content = new ByteArrayContent(bytes) { Headers = { ContentType = new("application/json") } };
            HttpResponseMessage response;
            try
            {
                response = await _http.SendAsync(request, cancellationToken);
            }
            catch (HttpRequestException e)
            {
                // What may have been taken is not sent elsewhere: a refresh token is good for one use.
                if (i + 1 < Addresses.Count && e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError) continue;
                throw ChatException.Unavailable($"{Addresses[index]} does not answer", e);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw ChatException.Unavailable($"{Addresses[index]} did not answer within {RequestTimeout.TotalSeconds:0} s", e);
            }

            Volatile.Write(ref _preferred, index);
            if (response.IsSuccessStatusCode) return response;
            using (response) throw await ToExceptionAsync(response, cancellationToken);
        }
    }

    private static async Task<ChatException> ToExceptionAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        Problem? problem = null;
        if (response.Content.Headers.ContentType?.MediaType is "application/problem+json" or "application/json")
        {
            try
            {
                problem = await response.Content.ReadFromJsonAsync(RestJson.Default.Problem, cancellationToken);
            }
            catch (Exception e) when (e is JsonException or HttpRequestException)
            {
                return new(CodeOf(status), $"HTTP {status} with an answer that can't be read", status >= 500, inner: e);
            }
        }

        var after = problem?.RetryAfterMs is { } ms ? TimeSpan.FromMilliseconds(ms) : response.Headers.RetryAfter?.Delta;
        return problem?.Code is { } code
            ? new(code, problem.Message ?? problem.Detail ?? $"HTTP {status}", problem.Retryable, after)
            : new(CodeOf(status), problem?.Title ?? $"HTTP {status}", status is 429 or >= 500, after);
    }

    // Of what stands between client and server and does not know the wire's words.
    private static string CodeOf(int status) => (status switch
    {
        401 => ErrorCode.Unauthenticated,
        403 => ErrorCode.Forbidden,
        404 => ErrorCode.NotFound,
        409 => ErrorCode.Conflict,
        410 => ErrorCode.Gone,
        413 => ErrorCode.TooLarge,
        429 => ErrorCode.RateLimited,
        502 or 503 or 504 => ErrorCode.Unavailable,
        >= 500 => ErrorCode.Internal,
        _ => ErrorCode.InvalidArgument,
    }).Word();
}
