using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.LocalEngines;

/// <summary>TCP ports of this machine.</summary>
public static class FreePorts
{
    private const string DynamicRange = "/proc/sys/net/ipv4/ip_local_port_range";
    private const int Lowest = 20_000;

    // From here on IANA counts ports as dynamic (RFC 6335, section 6); Linux begins lower.
    private const int DynamicFrom = 49_152;

    // Of the machine, not of a caller: a port that was given away is listened on only later.
    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>A port that nothing listens on at 127.0.0.1 now, and that this process was not given before. It is not a dynamic
    /// port where that can be helped: those may become the local end of anybody's connection before the caller listens, or while
    /// what listens is being restarted.</summary>
    public static int Take()
    {
        var end = FirstDynamic();
        for (var tries = 0; tries < 200 && end > Lowest; tries++)
        {
            var port = Random.Shared.Next(Lowest, end);
            if (IsFree(port) && Given.TryAdd(port, true)) return port;
        }

        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            var port = ((IPEndPoint)socket.LocalEndPoint!).Port;
            if (Given.TryAdd(port, true)) return port;
        }
    }

    /// <summary>Several different ones.</summary>
    /// <param name="count">1 or more.</param>
    public static IReadOnlyList<int> Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return [.. Enumerable.Range(0, count).Select(_ => Take())];
    }

    /// <summary>Whether a port can be listened on at 127.0.0.1.</summary>
    public static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FirstDynamic() =>
        File.Exists(DynamicRange)
        && int.TryParse(File.ReadAllText(DynamicRange).Split('\t', ' ')[0], CultureInfo.InvariantCulture, out var first)
            ? first : DynamicFrom;
}
