using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.WebPush;

/// <summary>How browsers' push services are reached. Without <see cref="KeyPath"/> they are not used.</summary>
public sealed class WebPushOptions
{
    public const string SectionName = "Push:WebPush";

    /// <summary>A JSON file with the key pair that browsers were given the public half of when they subscribed (RFC 8292):
    /// <c>publicKey</c> and <c>privateKey</c>, base64url, 65 and 32 bytes.</summary>
    public string? KeyPath { get; set; }

    /// <summary>Whom a push service can turn to: <c>mailto:</c> or <c>https:</c>.</summary>
    public string Subject { get; set; } = "";

    /// <summary>For development alone: endpoints may be at addresses of this machine and of private networks. Endpoints come
    /// from clients, who could otherwise have this service call what they can't reach themselves.</summary>
    public bool AllowPrivateAddresses { get; set; }

    internal VapidKey LoadKey() => VapidKey.Load(KeyPath!);
}

internal sealed class WebPushOptionsValidator : IValidateOptions<WebPushOptions>
{
    public ValidateOptionsResult Validate(string? name, WebPushOptions options)
    {
        var failures = new List<string>();
        if (!Uri.TryCreate(options.Subject, UriKind.Absolute, out var subject) || (subject.Scheme != Uri.UriSchemeMailto && subject.Scheme != Uri.UriSchemeHttps))
            failures.Add($"{WebPushOptions.SectionName}:{nameof(options.Subject)} must be a mailto: or https: address");
        try
        {
            using var key = options.LoadKey();
        }
        catch (Exception e) when (SettingsFile.IsUnusable(e))
        {
            failures.Add($"{WebPushOptions.SectionName}:{nameof(options.KeyPath)}: {e.Message}");
        }
        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}

/// <summary>The key pair that push services know this system by.</summary>
internal sealed class VapidKey : IDisposable
{
    private VapidKey(ECDsa key, string publicKey)
    {
        Key = key;
        PublicKey = publicKey;
    }

    public ECDsa Key { get; }

    /// <summary>The uncompressed point, base64url without padding.</summary>
    public string PublicKey { get; }

    /// <exception cref="FormatException">The file has no such pair.</exception>
    public static VapidKey Load(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var point = Bytes("publicKey", P256.PointBytes);
        var secret = Bytes("privateKey", P256.FieldBytes);
        var key = ECDsa.Create(P256.Parameters(point, secret));
        try
        {
            // Some platforms take halves that do not belong together.
            byte[] probe = [1];
            using var other = ECDsa.Create(P256.Parameters(point));
            if (!other.VerifyData(probe, key.SignData(probe, HashAlgorithmName.SHA256), HashAlgorithmName.SHA256))
                throw new FormatException("the public key is not that of the private key");
            return new(key, Base64Url.EncodeToString(point));
        }
        catch
        {
            key.Dispose();
            throw;
        }

        byte[] Bytes(string name, int length) =>
            json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String && P256.TryDecode(value.GetString(), length, out var bytes)
                ? bytes
                : throw new FormatException($"the key file has no {name} of {length} bytes in base64url");
    }

    public void Dispose() => Key.Dispose();
}

/// <summary>Keys of the curve P-256 as Web Push writes them.</summary>
internal static class P256
{
    /// <summary>An uncompressed point: 4, and two coordinates.</summary>
    public const int PointBytes = 1 + 2 * FieldBytes;

    /// <summary>A coordinate, or a private key.</summary>
    public const int FieldBytes = 32;

    /// <summary>Reads base64url, with or without padding.</summary>
    public static bool TryDecode(string? text, int length, out byte[] bytes)
    {
        bytes = new byte[length];
        // Longest text for so many bytes, with padding.
        if (text is null || text.Length > (length + 2) / 3 * 4) return false;
        try
        {
            return Base64Url.TryDecodeFromChars(text, bytes, out var written) && written == length;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <exception cref="CryptographicException">Not an uncompressed point.</exception>
    public static ECParameters Parameters(ReadOnlySpan<byte> point, byte[]? secret = null)
    {
        if (point.Length != PointBytes || point[0] != 4) throw new CryptographicException("not an uncompressed point of P-256");
        return new()
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new() { X = point[1..(1 + FieldBytes)].ToArray(), Y = point[(1 + FieldBytes)..].ToArray() },
            D = secret,
        };
    }

    /// <summary>The uncompressed point of a key.</summary>
    public static byte[] Point(ECParameters key) => [4, .. key.Q.X!, .. key.Q.Y!];
}
