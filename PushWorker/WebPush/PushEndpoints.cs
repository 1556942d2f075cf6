using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.PushWorker.WebPush;

/// <summary>Which endpoints may be called. They come from clients: without this they could have the service call the
/// inside of the network it stands in.</summary>
internal static class PushEndpoints
{
    /// <summary>Longest endpoint, characters.</summary>
    public const int MaxLength = 2048;

    /// <summary>What the internet does not lead to: RFC 6890 and the registries that it began.</summary>
    private static readonly IPNetwork[] Inside =
    [
        IPNetwork.Parse("0.0.0.0/8"),
        IPNetwork.Parse("10.0.0.0/8"),
        IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("127.0.0.0/8"),
        IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"),
        IPNetwork.Parse("192.0.0.0/24"),
        IPNetwork.Parse("192.0.2.0/24"),
        IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("198.18.0.0/15"),
        IPNetwork.Parse("198.51.100.0/24"),
        IPNetwork.Parse("203.0.113.0/24"),
        IPNetwork.Parse("224.0.0.0/4"),
        IPNetwork.Parse("240.0.0.0/4"),
    ];

    /// <summary>The part of IPv6 that is given out, and what in it is not for hosts.</summary>
    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] Special6 = [IPNetwork.Parse("2001::/23"), IPNetwork.Parse("2001:db8::/32"), IPNetwork.Parse("3fff::/20")];
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>What is wrong with an endpoint, as far as its text tells; null: nothing.</summary>
    public static string? Check(string text, bool allowPrivate, out Uri endpoint)
    {
        endpoint = null!;
        if (text.Length > MaxLength) return "it is too long";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttps) return "it is not an https address";
        if (uri.UserInfo.Length > 0) return "it has a user's name";
        if (!allowPrivate && IsPrivateHost(uri)) return "it is not on the internet";
        endpoint = uri;
        return null;
    }

    /// <summary>Connects to the public ones of a host's addresses alone. A name is looked at here, where it was just
    /// resolved: what was checked earlier may lead elsewhere by now.</summary>
    /// <exception cref="EndpointForbiddenException">It has none.</exception>
    public static async ValueTask<Stream> ConnectAsync(DnsEndPoint host, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(host.Host, cancellationToken);
        var allowed = Array.FindAll(addresses, address => !IsPrivate(address));
        if (allowed.Length == 0) throw new EndpointForbiddenException();

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, host.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    internal static bool IsPrivate(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetwork) return Inside.Any(network => network.Contains(address));
        // What stands for an address of IPv4 is as good as that.
        var bytes = address.GetAddressBytes();
        if (Nat64.Contains(address)) return IsPrivate(new IPAddress(bytes.AsSpan(12)));
        if (SixToFour.Contains(address)) return IsPrivate(new IPAddress(bytes.AsSpan(2, 4)));
        return !Global6.Contains(address) || Special6.Any(network => network.Contains(address));
    }

    private static bool IsPrivateHost(Uri uri)
    {
        if (IPAddress.TryParse(uri.DnsSafeHost, out var address)) return IsPrivate(address);
        var host = uri.IdnHost.TrimEnd('.');
        // A name without a dot is of the own network.
        return !host.Contains('.', StringComparison.Ordinal)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".local", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".internal", StringComparison.OrdinalIgnoreCase);
    }
}
