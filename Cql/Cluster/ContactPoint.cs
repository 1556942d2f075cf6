using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace WhatsAspire.Cql;

/// <summary>A node that the settings name.</summary>
internal sealed record ContactPoint(string Host, int Port)
{
    public static bool TryParse(string text, int defaultPort, [NotNullWhen(true)] out ContactPoint? point)
    {
        point = null;
        text = text.Trim();
        if (IPAddress.TryParse(text, out var address) && !text.StartsWith('['))
        {
            // Also an IPv6 address without brackets, whose colons separate no port.
            point = new(address.ToString(), defaultPort);
            return true;
        }

        var colon = text.LastIndexOf(':');
        var (host, port) = colon > text.LastIndexOf(']') ? (text[..colon], text[(colon + 1)..]) : (text, null);
        var number = defaultPort;
        if (port is not null && !int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out number))
            return false;
        host = host.Trim('[', ']');
        if (host.Length == 0 || number is < 1 or > IPEndPoint.MaxPort || host.Any(char.IsWhiteSpace))
            return false;
        point = new(host, number);
        return true;
    }

    /// <summary>All addresses of the name.</summary>
    public async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(CancellationToken cancellationToken) =>
        [.. (await Dns.GetHostAddressesAsync(Host, cancellationToken)).Select(address => new IPEndPoint(address, Port))];

    public override string ToString() => $"{Host}:{Port}";
}
