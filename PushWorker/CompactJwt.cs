using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushWorker;

/// <summary>Makes signed tokens (RFC 7515, compact form). What signs is not safe for concurrent use, so neither is this with
/// one key.</summary>
internal static class CompactJwt
{
    /// <summary>Signed with ECDSA over P-256 (RFC 7518 section 3.4).</summary>
    public static string Es256(ECDsa key, JsonObject header, JsonObject claims)
    {
        header["alg"] = "ES256";
        return Sign(header, claims, data => key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
    }

    /// <summary>Signed with RSA (RFC 7518 section 3.3).</summary>
    public static string Rs256(RSA key, JsonObject header, JsonObject claims)
    {
        header["alg"] = "RS256";
        return Sign(header, claims, data => key.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static string Sign(JsonObject header, JsonObject claims, Func<byte[], byte[]> sign)
    {
        var data = $"{Part(header)}.{Part(claims)}";
        return $"{data}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(data)))}";
    }

    private static string Part(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}
