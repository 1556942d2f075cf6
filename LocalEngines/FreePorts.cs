using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.LocalEngines;

/// <summary>Finds ports that nobody listens on.</summary>
public static class FreePorts
{
    /// <summary>Different ports that were free on 127.0.0.1 a moment ago; another process may take one meanwhile.</summary>
    /// <param name="count">1 or more.</param>
    public static IReadOnlyList<int> Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var held = new List<TcpListener>(count);
        try
        {
            for (var i = 0; i < count; i++)
            {
                var listener = new TcpListener(IPAddress.Loopback, 0);
                held.Add(listener);
                listener.Start();
            }

            return [.. held.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            held.ForEach(listener => listener.Dispose());
        }
    }
}
