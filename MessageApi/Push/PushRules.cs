using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi.Push;

/// <summary>What may be registered for pushes. A registration that passes can be sent to: what the provider would never take
/// is refused while the app's developer is looking, not when the first message comes.</summary>
internal static class PushRules
{
    public const string Apns = "apns";
    public const string Fcm = "fcm";
    public const string WebPush = "webpush";

    private const int ApnsTokenLength = 200;
    private const int FcmTokenLength = 1024;
    private const int EndpointLength = 2048;
    private const int TopicLength = 255;

    // An uncompressed point (SEC 1 section 2.3.3): 4, then both coordinates.
    private const int PointBytes = 65;
    private const byte Uncompressed = 4;
    private const int SecretBytes = 16;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private static readonly SearchValues<char> TopicCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

    /// <summary>Null, or the refusal that names the member and what is allowed.</summary>
    public static Error? Validate(PushRequest request) =>
        CheckToken(request.Provider, request.Token)
        ?? CheckApnsMembers(request)
        ?? CheckKeys(request)
        ?? (request.Content is null or "shown" or "hidden" ? null : Error.Invalid("content must be 'shown' or 'hidden'"));

    private static Error? CheckToken(string? provider, string? token)
    {
        if (provider is null) return Check.Missing("provider");
        if (provider is not (Apns or Fcm or WebPush)) return Error.Invalid($"provider must be '{Apns}', '{Fcm}' or '{WebPush}'");
        if (token is null) return Check.Missing("token");
        return provider switch
        {
            Apns => token.Length is 0 or > ApnsTokenLength || token.Length % 2 != 0 || token.AsSpan().ContainsAnyExcept(HexDigits)
                ? Error.Invalid($"token must be 2 to {ApnsTokenLength} hexadecimal digits for '{Apns}', an even number of them") : null,
            Fcm => token.Length is 0 or > FcmTokenLength || token.AsSpan().ContainsAnyExceptInRange('!', '~')
                ? Error.Invalid($"token must be 1 to {FcmTokenLength:N0} characters of printable ASCII without spaces for '{Fcm}'") : null,
            _ => IsEndpoint(token)
                ? null
                : Error.Invalid($"token must be the subscription's endpoint for '{WebPush}': an absolute https address of at most {EndpointLength:N0} characters, without user information and fragment"),
        };
    }

    private static bool IsEndpoint(string token) =>
        token.Length <= EndpointLength && !token.AsSpan().ContainsAnyExceptInRange('!', '~')
        && Uri.TryCreate(token, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
        && uri.Host.Length > 0 && uri.UserInfo.Length == 0 && !token.Contains('#', StringComparison.Ordinal);

    private static Error? CheckApnsMembers(PushRequest request)
    {
        if (request.Provider != Apns)
            return request.Topic is not null ? Error.Invalid($"topic is for '{Apns}' alone")
                : request.Sandbox is true ? Error.Invalid($"sandbox is for '{Apns}' alone") : null;
        return request.Topic is { } topic && (topic.Length is 0 or > TopicLength || topic.AsSpan().ContainsAnyExcept(TopicCharacters))
            ? Error.Invalid($"topic must be the app's bundle id: 1 to {TopicLength} of letters, digits, '.' and '-'") : null;
    }

    private static Error? CheckKeys(PushRequest request)
    {
        if (request.Provider != WebPush) return request.Keys is null ? null : Error.Invalid($"keys are for '{WebPush}' alone");
        if (request.Keys is null) return Check.Missing("keys");
        if (request.Keys.P256dh is not { } point) return Check.Missing("keys.p256dh");
        if (request.Keys.Auth is not { } secret) return Check.Missing("keys.auth");
        if (Decode(point, PointBytes) is not { } bytes || !IsPoint(bytes))
            return Error.Invalid($"keys.p256dh must be base64url without padding of {PointBytes} bytes, an uncompressed point of the curve P-256");
        return Decode(secret, SecretBytes) is null
            ? Error.Invalid($"keys.auth must be base64url without padding of {SecretBytes} bytes") : null;
    }

    private static byte[]? Decode(string text, int length)
    {
        var bytes = new byte[length];
        return text.Length == Base64Url.GetEncodedLength(length) && Base64Url.IsValid(text)
            && Base64Url.TryDecodeFromChars(text, bytes, out var written) && written == length ? bytes : null;
    }

    private static bool IsPoint(byte[] bytes)
    {
        if (bytes[0] != Uncompressed) return false;
        try
        {
            // The platform takes no point that is not on the curve.
            using var key = ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new() { X = bytes[1..33], Y = bytes[33..] },
            });
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
