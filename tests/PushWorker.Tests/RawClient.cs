using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using WhatsAspire.PushGateways;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>Talks to the gateways without the senders, so as to do what those never would.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly PushGatewayServer _gateway;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;

    public RawClient(PushGatewayServer gateway, TimeProvider time)
    {
        _gateway = gateway;
        _time = time;
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPem(gateway.RootPem);
        _http = new(new SocketsHttpHandler { UseProxy = false, SslOptions = { CertificateChainPolicy = policy } })
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    public JsonObject ApnsHeader { get; } = new();
    public JsonObject ApnsClaims { get; } = new();

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _http.SendAsync(request, cancellationToken);

    /// <summary>A provider token that is in order, but for what <see cref="ApnsHeader"/> and <see cref="ApnsClaims"/>
    /// say.</summary>
    public string ApnsToken(string? keyPem = null)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(keyPem ?? _gateway.Credentials.ApnsKeyPem);
        return CompactJwt.Es256(
            key,
            Merged(new() { ["kid"] = _gateway.Credentials.KeyId }, ApnsHeader),
            Merged(new() { ["iss"] = _gateway.Credentials.TeamId, ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds() }, ApnsClaims));
    }

    /// <summary>A request to APNs that is in order.</summary>
    public HttpRequestMessage Apns(string token)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_gateway.ApnsAddress, $"/3/device/{token}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("""{"aps":{"alert":{"title":"t","body":"b"}}}"""),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("bearer", ApnsToken());
        request.Headers.Add("apns-topic", "org.whatsaspire.app");
        request.Headers.Add("apns-push-type", "alert");
        request.Headers.Add("apns-priority", "10");
        request.Headers.Add("apns-expiration", "0");
        request.Headers.Add("apns-collapse-id", "c");
        request.Headers.Add("apns-id", Guid.NewGuid().ToString());
        return request;
    }

    public async Task<(int Status, string Body)> AnswerAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            using var response = await SendAsync(request, cancellationToken);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
        }
    }

    public void Dispose() => _http.Dispose();

    public static JsonObject Merged(JsonObject into, JsonObject changes)
    {
        foreach (var (name, value) in changes) into[name] = value?.DeepClone();
        return into;
    }
}
