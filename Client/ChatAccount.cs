using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <summary>Gives access tokens.</summary>
public interface ITokenProvider
{
    /// <summary>Whose tokens they are.</summary>
    UserId UserId { get; }

    /// <summary>A token that is good for a while.</summary>
    /// <param name="rejected">A token that the server refused: this one is not given again. Null: none was.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ChatException">There is none; retryable when the server only did not answer.</exception>
    ValueTask<string> GetAccessTokenAsync(string? rejected, CancellationToken cancellationToken);
}

/// <summary>A signed-in device: keeps its tokens fresh, and makes REST calls and the live connection. Safe for
/// concurrent use.</summary>
public sealed class ChatAccount : ITokenProvider, IDisposable
{
    private readonly ChatServer _server;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _refreshing = new(1, 1);
    private volatile Issued _issued;

    /// <param name="server">Where the account is.</param>
    /// <param name="tokens">Of a sign-in, just made or kept from an earlier run.</param>
    /// <param name="time">The clock; null: the system's.</param>
    public ChatAccount(ChatServer server, ChatTokens tokens, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(tokens);
        (_server, _time) = (server, time ?? TimeProvider.System);
        _issued = new(tokens, _time.GetTimestamp());
        Rest = new(server, this);
    }

    /// <summary>New tokens came, which are the only good ones from now on: an app that keeps them writes them down here.
    /// Called on the thread that asked for a token.</summary>
    public event Action<ChatTokens>? TokensChanged;

    public UserId UserId => Tokens.UserId;
    public DeviceId DeviceId => Tokens.DeviceId;

    /// <summary>The newest tokens.</summary>
    public ChatTokens Tokens => _issued.Tokens;

    /// <summary>REST calls of this account.</summary>
    public ChatRest Rest { get; }

    /// <summary>Signs in with a password, as a new device unless one is given.</summary>
    /// <exception cref="ChatException"><c>unauthenticated</c> when name or password is wrong.</exception>
    public static async Task<ChatAccount> SignInAsync(
        ChatServer server, string username, string password, string deviceName = "dotnet", DeviceId? device = null,
        TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(server);
        var tokens = await server.SignInAsync(username, password, deviceName, device: device, cancellationToken: cancellationToken);
        return new(server, tokens, time);
    }

    /// <summary>The live connection of this device; it is not connected yet.</summary>
    public ChatClient CreateClient(ChatClientOptions? options = null) => new(_server.Addresses, this, options);

    public async ValueTask<string> GetAccessTokenAsync(string? rejected, CancellationToken cancellationToken)
    {
        var issued = _issued;
        if (IsGood(issued)) return issued.Tokens.AccessToken;
        // One refresh at a time: the refresh token is good for one use.
        await _refreshing.WaitAsync(cancellationToken);
        try
        {
            issued = _issued;
            if (IsGood(issued)) return issued.Tokens.AccessToken;
            var tokens = await _server.RefreshAsync(issued.Tokens.RefreshToken, cancellationToken);
            _issued = new(tokens, _time.GetTimestamp());
            TokensChanged?.Invoke(tokens);
            return tokens.AccessToken;
        }
        finally
        {
            _refreshing.Release();
        }

        bool IsGood(Issued one) => one.Tokens.AccessToken != rejected && _time.GetElapsedTime(one.At) < UsableFor(one.Tokens);
    }

    public void Dispose() => _refreshing.Dispose();

    // The last quarter, at most a minute, is left for what is under way and for clocks that differ.
    private static TimeSpan UsableFor(ChatTokens tokens) =>
        TimeSpan.FromSeconds(tokens.ExpiresIn - Math.Min(60, tokens.ExpiresIn / 4.0));

    private sealed record Issued(ChatTokens Tokens, long At);
}
