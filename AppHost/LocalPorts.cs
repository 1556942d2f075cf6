using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.AppHost;

/// <summary>TCP ports of this machine.</summary>
internal static class LocalPorts
{
    /// <summary>
    /// A port that nothing listens on now. A resource that keeps one for the whole run needs no proxy in front of it,
    /// which every message would otherwise pass twice, and is found again at the same address when it is restarted.
    /// </summary>
    public static int Free()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Whether a port can be listened on.</summary>
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
}
