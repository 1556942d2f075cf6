using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace WhatsAspire.PushGateways;

/// <summary>The credentials that the gateways take, in the forms in which the providers issue theirs.</summary>
public sealed class GatewayCredentials : IDisposable
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly PushGatewayOptions _options;
    private readonly Func<Uri> _tokenAddress;

    /// <param name="options">Their names.</param>
    /// <param name="tokenAddress">Where access tokens are had; known once the gateways listen.</param>
    internal GatewayCredentials(PushGatewayOptions options, Func<Uri> tokenAddress)
    {
        _options = options;
        _tokenAddress = tokenAddress;
        AccountKey = RSA.Create(2048);
        if (options.AccountKeyPem is { } pem) AccountKey.ImportFromPem(pem);
        var pair = VapidPair.ExportParameters(includePrivateParameters: true);
        VapidPublicKey = Base64Url.EncodeToString([4, .. pair.Q.X!, .. pair.Q.Y!]);
        VapidJson = JsonSerializer.Serialize(
            new Dictionary<string, string> { ["publicKey"] = VapidPublicKey, ["privateKey"] = Base64Url.EncodeToString(pair.D!) }, Indented);
    }

    /// <summary>The text of the APNs signing key's file, <c>.p8</c>.</summary>
    public string ApnsKeyPem => ApnsKey.ExportPkcs8PrivateKeyPem();

    public string KeyId => _options.KeyId;
    public string TeamId => _options.TeamId;

    /// <summary>The text of the service account's key file.</summary>
    public string ServiceAccountJson => JsonSerializer.Serialize(
        new Dictionary<string, string>
        {
            ["type"] = "service_account",
            ["project_id"] = _options.ProjectId,
            ["private_key_id"] = ServiceAccountKeyId,
            ["private_key"] = AccountKey.ExportPkcs8PrivateKeyPem(),
            ["client_email"] = Email,
            ["client_id"] = "1",
            ["token_uri"] = _tokenAddress().AbsoluteUri,
        },
        Indented);

    /// <summary>The text of the file with the VAPID key pair.</summary>
    public string VapidJson { get; }

    /// <summary>What browsers subscribe with.</summary>
    public string VapidPublicKey { get; }

    internal ECDsa ApnsKey { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    internal RSA AccountKey { get; }
    internal string ServiceAccountKeyId { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20));
    internal string Email => $"push@{_options.ProjectId}.iam.gserviceaccount.com";
    private ECDsa VapidPair { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Dispose()
    {
        ApnsKey.Dispose();
        AccountKey.Dispose();
        VapidPair.Dispose();
    }
}
