using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.AppHost;

/// <summary>Asks a Redis on this machine for a PONG, over a connection of its own.</summary>
internal sealed class RedisHealthCheck(int port) : IHealthCheck
{
    private static ReadOnlyMemory<byte> Ping { get; } = "*1\r\n$4\r\nPING\r\n"u8.ToArray();

    private static ReadOnlyMemory<byte> Pong { get; } = "+PONG\r\n"u8.ToArray();

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Patience.UntilHealthyAsync(CheckOnceAsync, cancellationToken);

    private async Task<HealthCheckResult> CheckOnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
            await socket.SendAsync(Ping, cancellationToken);
            var answer = new byte[Pong.Length];
            await new NetworkStream(socket).ReadExactlyAsync(answer, cancellationToken);
            return Pong.Span.SequenceEqual(answer)
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy("It answers PING with something else than PONG.");
        }
        catch (Exception cause) when (cause is SocketException or IOException)
        {
            return HealthCheckResult.Unhealthy($"It does not answer PING: {cause.Message}", cause);
        }
    }
}
