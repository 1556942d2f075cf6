using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>The head of a WebSocket opening handshake (RFC 6455 section 4.2.1), read by Kestrel's own HTTP/1.1
/// parser.</summary>
internal sealed class UpgradeRequest : IHttpRequestLineHandler, IHttpHeadersHandler
{
    /// <summary>Where clients connect.</summary>
    public const string Path = "/ws";

    /// <summary>A head larger than this is left to the HTTP server, which refuses it.</summary>
    public const int MaxHead = 16 * 1024;

    private static readonly HttpParser<UpgradeRequest> Parser = new(showErrorDetails: false);
    private bool _isGet, _isUpgrade, _isWebSocket, _isVersion13;
    private string? _path;

    /// <summary>The bearer token, if the header had one.</summary>
    public string? Token { get; private set; }

    /// <summary><c>Sec-WebSocket-Key</c>.</summary>
    public string? Key { get; private set; }

    /// <summary>Everything that RFC 6455 asks for is there.</summary>
    public bool IsComplete => _isGet && _isUpgrade && _isWebSocket && _isVersion13 && IsKey(Key) && _path == Path;

    /// <summary>Whether the bytes can be the start of a handshake for <see cref="Path"/>.</summary>
    public static bool IsPossible(ReadOnlySequence<byte> buffer)
    {
        var expected = "GET /ws"u8;
        Span<byte> start = stackalloc byte[expected.Length];
        var length = (int)Math.Min(buffer.Length, start.Length);
        buffer.Slice(0, length).CopyTo(start);
        return start[..length].SequenceEqual(expected[..length]);
    }

    /// <summary>Parses a head whose end is in the buffer.</summary>
    /// <returns>Null when it is not yet whole, or no HTTP/1.1: then the HTTP server says so.</returns>
    public static UpgradeRequest? TryParse(ReadOnlySequence<byte> buffer, out SequencePosition end)
    {
        end = buffer.Start;
        var reader = new SequenceReader<byte>(buffer);
        var request = new UpgradeRequest();
        try
        {
            if (!Parser.ParseRequestLine(request, ref reader) || !Parser.ParseHeaders(request, ref reader)) return null;
        }
        catch (BadHttpRequestException)
        {
            return null;
        }

        end = reader.Position;
        return request;
    }

    /// <summary><c>Sec-WebSocket-Accept</c> for a key (RFC 6455 section 4.2.2).</summary>
    public static string Accept(string key) =>
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));

    /// <summary>Sixteen bytes in base64.</summary>
    public static bool IsKey(string? key)
    {
        Span<byte> bytes = stackalloc byte[18];
        return key is { Length: 24 } && Convert.TryFromBase64String(key, bytes, out var length) && length == 16;
    }

    /// <summary>The token of an <c>Authorization: Bearer</c> header, or null.</summary>
    public static string? BearerToken(string? authorization)
    {
        const string scheme = "Bearer ";
        return authorization?.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) == true ? authorization[scheme.Length..].Trim() : null;
    }

    void IHttpRequestLineHandler.OnStartLine(HttpVersionAndMethod versionAndMethod, TargetOffsetPathLength targetPath, Span<byte> startLine)
    {
        _isGet = versionAndMethod.Method == Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http.HttpMethod.Get
            && versionAndMethod.Version == Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http.HttpVersion.Http11;
        _path = Encoding.ASCII.GetString(startLine.Slice(targetPath.Offset, targetPath.Length));
    }

    void IHttpHeadersHandler.OnHeader(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (Is(name, "upgrade"u8)) _isWebSocket |= HasToken(value, "websocket"u8);
        else if (Is(name, "connection"u8)) _isUpgrade |= HasToken(value, "upgrade"u8);
        else if (Is(name, "sec-websocket-version"u8)) _isVersion13 = value.SequenceEqual("13"u8);
        else if (Is(name, "sec-websocket-key"u8)) Key = Encoding.ASCII.GetString(value);
        else if (Is(name, "authorization"u8)) Token = BearerToken(Encoding.ASCII.GetString(value));
    }

    void IHttpHeadersHandler.OnHeadersComplete(bool endStream)
    {
    }

    void IHttpHeadersHandler.OnStaticIndexedHeader(int index) => throw new NotSupportedException("HTTP/1.1 has no header table");

    void IHttpHeadersHandler.OnStaticIndexedHeader(int index, ReadOnlySpan<byte> value) =>
        throw new NotSupportedException("HTTP/1.1 has no header table");

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower) => Ascii.EqualsIgnoreCase(name, lower);

    private static bool HasToken(ReadOnlySpan<byte> list, ReadOnlySpan<byte> token)
    {
        foreach (var range in list.Split((byte)','))
            if (Ascii.EqualsIgnoreCase(list[range].Trim((byte)' '), token)) return true;
        return false;
    }
}
