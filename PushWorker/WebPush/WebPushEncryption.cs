using System.Buffers.Binary;
using System.Security.Cryptography;

namespace WhatsAspire.PushWorker.WebPush;

/// <summary>Message encryption for Web Push (RFC 8291): one record of <c>aes128gcm</c> (RFC 8188).</summary>
internal static class WebPushEncryption
{
    /// <summary>What every push service takes, bytes of body (RFC 8030 section 7.2).</summary>
    public const int MaxBodyBytes = 4096;

    /// <summary>What may be encrypted into such a body, bytes.</summary>
    public const int MaxPlaintextBytes = MaxBodyBytes - HeaderBytes - 1 - TagBytes;

    /// <summary>The browser's authentication secret, bytes.</summary>
    public const int SecretBytes = 16;

    private const int SaltBytes = 16;
    private const int TagBytes = 16;

    /// <summary>Salt, record size, length of the key id, and the sender's public key as that.</summary>
    private const int HeaderBytes = SaltBytes + 4 + 1 + P256.PointBytes;

    /// <summary>Not less than the one record.</summary>
    private const int RecordSize = 4096;

    /// <summary>Ends the last record's data (RFC 8188 section 2).</summary>
    private const byte LastRecord = 2;

    /// <param name="plaintext">At most <see cref="MaxPlaintextBytes"/>.</param>
    /// <param name="receiver">The browser's public key, an uncompressed point.</param>
    /// <param name="secret">The browser's authentication secret.</param>
    /// <returns>The body to send.</returns>
    /// <exception cref="CryptographicException">The public key is not a point of the curve.</exception>
    public static byte[] Encrypt(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> receiver, ReadOnlySpan<byte> secret)
    {
        // Keys and salt are used once: with them the nonce may be derived.
        using var sender = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        Span<byte> salt = stackalloc byte[SaltBytes];
        RandomNumberGenerator.Fill(salt);
        return Encrypt(plaintext, receiver, secret, sender, salt);
    }

    internal static byte[] Encrypt(
        ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> receiver, ReadOnlySpan<byte> secret, ECDiffieHellman sender, ReadOnlySpan<byte> salt)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(plaintext.Length, MaxPlaintextBytes);
        var point = P256.Point(sender.ExportParameters(includePrivateParameters: false));
        Span<byte> key = stackalloc byte[16];
        Span<byte> nonce = stackalloc byte[12];
        using (var other = ECDiffieHellman.Create(P256.Parameters(receiver)))
        {
            var shared = sender.DeriveRawSecretAgreement(other.PublicKey);
            Span<byte> material = stackalloc byte[32];
            HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, material, secret, [.. "WebPush: info\0"u8, .. receiver, .. point]);
            HKDF.DeriveKey(HashAlgorithmName.SHA256, material, key, salt, "Content-Encoding: aes128gcm\0"u8);
            HKDF.DeriveKey(HashAlgorithmName.SHA256, material, nonce, salt, "Content-Encoding: nonce\0"u8);
        }

        var body = new byte[HeaderBytes + plaintext.Length + 1 + TagBytes];
        var rest = body.AsSpan();
        salt.CopyTo(rest);
        BinaryPrimitives.WriteUInt32BigEndian(rest[SaltBytes..], RecordSize);
        rest[SaltBytes + 4] = P256.PointBytes;
        point.CopyTo(rest[(SaltBytes + 5)..]);

        var record = rest[HeaderBytes..^TagBytes];
        plaintext.CopyTo(record);
        record[^1] = LastRecord;
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Encrypt(nonce, record, record, rest[^TagBytes..]);
        return body;
    }
}
