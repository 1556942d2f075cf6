using System.Security.Cryptography;
using System.Text;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Seals private signing keys for the directory. The first byte says how: 0, as they are; 1, AES-256-GCM
/// (nonce of 12 bytes, tag of 16, ciphertext) under HKDF-SHA256 of the configured secret, with the key's id as
/// associated data, so that one row's key can't be passed off as another's.</summary>
public sealed class SigningKeyProtection
{
    private const byte Plain = 0;
    private const byte Sealed = 1;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private static readonly byte[] Purpose = "whatsaspire signing key encryption v1"u8.ToArray();
    private readonly byte[]? _key;

    /// <param name="secret">See <see cref="DirectoryOptions.KeyEncryptionSecret"/>; null: keys are kept as they are.</param>
    public SigningKeyProtection(string? secret) =>
        _key = secret is null ? null : HKDF.DeriveKey(HashAlgorithmName.SHA256, Convert.FromBase64String(secret), 32, info: Purpose);

    /// <summary>Whether it is base64 of at least 32 bytes.</summary>
    public static bool IsSecret(string secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        var bytes = new byte[secret.Length];
        return Convert.TryFromBase64String(secret, bytes, out var length) && length >= 32;
    }

    /// <summary>What the directory keeps for a key.</summary>
    public byte[] Protect(string keyId, ReadOnlySpan<byte> pkcs8)
    {
        if (_key is null) return [Plain, .. pkcs8];
        var result = new byte[1 + NonceBytes + TagBytes + pkcs8.Length];
        result[0] = Sealed;
        var nonce = result.AsSpan(1, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_key, TagBytes);
        aes.Encrypt(nonce, pkcs8, result.AsSpan(1 + NonceBytes + TagBytes), result.AsSpan(1 + NonceBytes, TagBytes), Encoding.UTF8.GetBytes(keyId));
        return result;
    }

    /// <summary>The key again. Keys from before a secret was configured are read as they are.</summary>
    /// <exception cref="CryptographicException">It was sealed under another secret, or was changed.</exception>
    public byte[] Unprotect(string keyId, ReadOnlySpan<byte> kept)
    {
        if (kept.Length > 1 && kept[0] == Plain) return kept[1..].ToArray();
        if (kept.Length <= 1 + NonceBytes + TagBytes || kept[0] != Sealed)
            throw new CryptographicException($"Signing key {keyId} is kept in a form that this version does not know.");
        if (_key is null)
            throw new CryptographicException($"Signing key {keyId} is encrypted; set Directory:KeyEncryptionSecret.");
        var result = new byte[kept.Length - 1 - NonceBytes - TagBytes];
        using var aes = new AesGcm(_key, TagBytes);
        try
        {
            aes.Decrypt(
                kept.Slice(1, NonceBytes), kept[(1 + NonceBytes + TagBytes)..], kept.Slice(1 + NonceBytes, TagBytes), result,
                Encoding.UTF8.GetBytes(keyId));
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new CryptographicException(
                $"Signing key {keyId} can't be decrypted: Directory:KeyEncryptionSecret is not the one it was encrypted under.", e);
        }
        return result;
    }
}
