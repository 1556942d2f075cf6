using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace WhatsAspire.PushWorker;

/// <summary>What a provider answered, or why it did not.</summary>
internal sealed record PushReply
{
    /// <summary>0 where there was no answer.</summary>
    public HttpStatusCode Status { get; init; }

    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>From now on; null where the provider does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>What went wrong on the way: one word, without addresses or tokens. Null: the provider answered.</summary>
    public string? Failure { get; init; }
}

/// <summary>The connections of one sender, and the one way to use them: a request ends within the timeout, its failures are
/// values, and no more than <see cref="MaxReplyBytes"/> of an answer are read. Safe for concurrent use.</summary>
internal sealed class PushChannel : IDisposable
{
    /// <summary>Answers are a few hundred bytes; more is somebody else's.</summary>
    public const int MaxReplyBytes = 64 * 1024;

    /// <summary>No wait that is asked for is longer: endpoints come from clients too.</summary>
    public static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(1);

    private readonly HttpClient _http;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <param name="handler">The connections; the channel ends them.</param>
    /// <param name="timeout">For one request.</param>
    /// <param name="time">The clock of the timeout.</param>
    public PushChannel(HttpMessageHandler handler, TimeSpan timeout, TimeProvider time)
    {
        // The client's own timeout goes by the system's clock.
        _http = new(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxReplyBytes };
        _timeout = timeout;
        _time = time;
    }

    public static SocketsHttpHandler CreateHandler(SenderOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = options.MaxConnections,
            ConnectTimeout = options.ConnectTimeout,
            // The client's own spans would carry device tokens, which are parts of addresses, and tell the providers our traces.
            ActivityHeadersPropagator = null,
            // An idle connection that a firewall forgot is found out before the next notification needs it.
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            KeepAlivePingDelay = TimeSpan.FromMinutes(1),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            // Connections are to be kept, but a provider's addresses change.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(30),
            PooledConnectionLifetime = TimeSpan.FromHours(1),
        };
        if (options.LoadTrustedRoots() is { } roots)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(roots);
            handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
        }
        return handler;
    }

    /// <summary>A channel to one provider. A proxy that the environment names is used, but not to reach this machine.</summary>
    public static PushChannel To(Uri address, SenderOptions options, TimeProvider time)
    {
        var handler = CreateHandler(options);
        if (address.IsLoopback) handler.UseProxy = false;
        return new(handler, options.RequestTimeout, time);
    }

    /// <summary>Sends a request. Only a cancellation by the caller throws.</summary>
    public async Task<PushReply> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseContentRead, linked.Token);
            return new()
            {
                Status = response.StatusCode,
                Body = await response.Content.ReadAsByteArrayAsync(linked.Token),
                RetryAfter = RetryAfter(response),
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new() { Failure = "Timeout" };
        }
        catch (HttpRequestException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new() { Failure = EndpointForbiddenException.IsCauseOf(e) ? EndpointForbiddenException.Reason : e.HttpRequestError.ToString() };
        }
        catch (IOException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new() { Failure = nameof(HttpRequestError.ResponseEnded) };
        }
    }

    public void Dispose() => _http.Dispose();

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        var wait = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - _time.GetUtcNow() : null;
        if (wait is not { } asked) return null;
        return asked < TimeSpan.Zero ? TimeSpan.Zero : asked > MaxRetryAfter ? MaxRetryAfter : asked;
    }
}
