using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace WhatsAspire.PushGateways.WebPush;

/// <summary>What a browser makes for a subscription, and how it reads what is sent to it (RFC 8291).</summary>
public sealed class BrowserKeys : IDisposable
{
    private const int PointBytes = 65;
    private const int SaltBytes = 16;
    private const int TagBytes = 16;

    private readonly ECDiffieHellman _key;
    private readonly byte[] _point;
    private readonly byte[] _secret;

    private BrowserKeys(ECDiffieHellman key, byte[] secret)
    {
        _key = key;
        _secret = secret;
        var q = key.ExportParameters(includePrivateParameters: false).Q;
        _point = [4, .. q.X!, .. q.Y!];
    }

    /// <summary>The public key, base64url.</summary>
    public string P256dh => Base64Url.EncodeToString(_point);

    /// <summary>The authentication secret, base64url.</summary>
    public string Auth => Base64Url.EncodeToString(_secret);

    public static BrowserKeys Create() => new(ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256), RandomNumberGenerator.GetBytes(16));

    /// <summary>Keys that are known, each base64url.</summary>
    public static BrowserKeys From(string privateKey, string p256dh, string auth)
    {
        var point = Base64Url.DecodeFromChars(p256dh);
        return new(
            ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                D = Base64Url.DecodeFromChars(privateKey),
                Q = new() { X = point[1..33], Y = point[33..] },
            }),
            Base64Url.DecodeFromChars(auth));
    }

    /// <summary>Decrypts a body in the encoding <c>aes128gcm</c> that is one record.</summary>
    /// <exception cref="CryptographicException">It is none, or is not for this browser.</exception>
    public byte[] Decrypt(ReadOnlySpan<byte> body)
    {
        if (body.Length < SaltBytes + 5) throw new CryptographicException("the header is not whole");
        var salt = body[..SaltBytes];
        var recordSize = BinaryPrimitives.ReadUInt32BigEndian(body[SaltBytes..]);
        var idLength = body[SaltBytes + 4];
        var header = SaltBytes + 5 + idLength;
        if (idLength != PointBytes || body.Length < header + TagBytes + 1) throw new CryptographicException("the key id is not a public key");
        var record = body[header..];
        if (recordSize < 18 || record.Length > recordSize) throw new CryptographicException("more than one record");

        var senderPoint = body[(SaltBytes + 5)..header].ToArray();
        using var sender = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new() { X = senderPoint[1..33], Y = senderPoint[33..] },
        });
        var secret = _key.DeriveRawSecretAgreement(sender.PublicKey);

        // RFC 5869, step by step: one block of output is enough each time.
        var material = Expand(Extract(_secret, secret), [.. "WebPush: info"u8, 0, .. _point, .. senderPoint], 32);
        var prk = Extract(salt, material);
        var key = Expand(prk, [.. "Content-Encoding: aes128gcm"u8, 0], 16);
        var nonce = Expand(prk, [.. "Content-Encoding: nonce"u8, 0], 12);

        var plain = new byte[record.Length - TagBytes];
        using (var cipher = new AesGcm(key, TagBytes)) cipher.Decrypt(nonce, record[..^TagBytes], record[^TagBytes..], plain);
        var end = plain.AsSpan().LastIndexOfAnyExcept((byte)0);
        if (end < 0 || plain[end] != 2) throw new CryptographicException("the last record does not end as it must");
        return plain[..end];
    }

    public void Dispose() => _key.Dispose();

    private static byte[] Extract(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> material) => HMACSHA256.HashData(salt, material);

    private static byte[] Expand(byte[] prk, byte[] info, int length) => HMACSHA256.HashData(prk, (byte[])[.. info, 1])[..length];
}
