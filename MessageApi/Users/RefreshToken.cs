using System.Buffers.Text;
using System.Security.Cryptography;
using WhatsAspire.MessageApi.Directory;

namespace WhatsAspire.MessageApi.Users;

/// <summary>A refresh token: 128 random bits that all tokens of one sign-in share (the family), then 256 random bits of
/// its own; base64url, 64 characters. The directory keeps hashes of both parts.</summary>
internal sealed class RefreshToken
{
    private const int FamilyBytes = 16;
    private const int SecretBytes = 32;
    private readonly byte[] _bytes;

    private RefreshToken(byte[] bytes) => _bytes = bytes;

    /// <summary>The first token of a sign-in.</summary>
    public static RefreshToken New() => new(RandomNumberGenerator.GetBytes(FamilyBytes + SecretBytes));

    /// <summary>The token that takes the place of this one.</summary>
    public RefreshToken Next() => new([.. _bytes.AsSpan(0, FamilyBytes), .. RandomNumberGenerator.GetBytes(SecretBytes)]);

    /// <summary>Null when it can't be one of ours.</summary>
    public static RefreshToken? Parse(string text)
    {
        var bytes = new byte[FamilyBytes + SecretBytes];
        return text.Length == Base64Url.GetEncodedLength(bytes.Length) && Base64Url.IsValid(text)
            && Base64Url.TryDecodeFromChars(text, bytes, out var written) && written == bytes.Length ? new(bytes) : null;
    }

    public RefreshTokenHash Hash => new(SHA256.HashData(_bytes.AsSpan(0, FamilyBytes)), SHA256.HashData(_bytes.AsSpan(FamilyBytes)));

    /// <summary>As the client gets it.</summary>
    public string Encode() => Base64Url.EncodeToString(_bytes);
}
