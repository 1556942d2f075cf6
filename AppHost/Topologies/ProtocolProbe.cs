using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>The shortest question that a server answers in its own protocol once it serves: a port that merely accepts
/// says little, and behind a container's port mapping nothing.</summary>
/// <param name="Name">What it asks.</param>
/// <param name="Question">What to send.</param>
/// <param name="AnswerBytes">How many bytes of the answer to look at.</param>
/// <param name="IsAnswer">Whether they are the answer.</param>
internal sealed record ProtocolProbe(string Name, ReadOnlyMemory<byte> Question, int AnswerBytes, Func<byte[], bool> IsAnswer)
{
    public static ProtocolProbe Redis { get; } = new("PING", "*1\r\n$4\r\nPING\r\n"u8.ToArray(), 7, answer => answer.AsSpan().SequenceEqual("+PONG\r\n"u8));

    /// <summary>ApiVersions, version 0, of Kafka's protocol: length, key 18, version, correlation id 7, no client id. The answer
    /// is length, correlation id, and error code 0.</summary>
    public static ProtocolProbe Kafka { get; } = new(
        "ApiVersions", new byte[] { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff }, 10, answer => answer.AsSpan(4).SequenceEqual(new byte[] { 0, 0, 0, 7, 0, 0 }));

    /// <summary>OPTIONS of the CQL native protocol, version 4; the answer's opcode is SUPPORTED.</summary>
    public static ProtocolProbe Cassandra { get; } = new(
        "OPTIONS", new byte[] { 4, 0, 0, 0, 5, 0, 0, 0, 0 }, 9, answer => answer[0] == 0x84 && answer[4] == 6);

    /// <summary>Asks the server at a port of this machine once.</summary>
    public async Task<HealthCheckResult> AskAsync(int port, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
            await socket.SendAsync(Question, cancellationToken);
            var answer = new byte[AnswerBytes];
            await new NetworkStream(socket).ReadExactlyAsync(answer, cancellationToken);
            return IsAnswer(answer) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"It answers {Name} with something unexpected.");
        }
        catch (Exception cause) when (cause is SocketException or IOException)
        {
            return HealthCheckResult.Unhealthy($"It does not answer {Name}: {cause.Message}", cause);
        }
    }
}

/// <summary>Asks a server whether it serves.</summary>
internal sealed class ProtocolHealthCheck(Func<CancellationToken, Task<HealthCheckResult>> ask) : IHealthCheck
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Longest);
        try
        {
            return await Patience.UntilHealthyAsync(ask, late.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"It does not answer within {Longest.TotalSeconds} s.");
        }
    }
}

/// <summary>What engines have in common in the application model.</summary>
internal static class EngineResources
{
    /// <summary>Gives an engine one port, outside and inside the same, and no proxy before it.</summary>
    public static IResourceBuilder<T> WithOwnPort<T>(this IResourceBuilder<T> engine, int port)
        where T : IResourceWithEndpoints =>
        engine.WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: ResourceNames.Tcp, isProxied: false)
            .WithEndpoint(ResourceNames.Tcp, at => at.TargetHost = "127.0.0.1");

    /// <summary>Host and port of <see cref="WithOwnPort"/>.</summary>
    public static ReferenceExpression AtOwnPort<T>(this IResourceBuilder<T> engine)
        where T : IResourceWithEndpoints =>
        ReferenceExpression.Create($"{engine.GetEndpoint(ResourceNames.Tcp).Property(EndpointProperty.HostAndPort)}");

    /// <summary>Healthy while the engine answers at a port of this machine.</summary>
    public static IResourceBuilder<T> WithProtocolCheck<T>(this IResourceBuilder<T> engine, ProtocolProbe probe, int port)
        where T : IResource => engine.WithProtocolCheck(cancel => probe.AskAsync(port, cancel));

    /// <summary>Healthy while the question gets its answer.</summary>
    public static IResourceBuilder<T> WithProtocolCheck<T>(
        this IResourceBuilder<T> engine, Func<CancellationToken, Task<HealthCheckResult>> ask)
        where T : IResource
    {
        var name = $"{engine.Resource.Name}-answers";
        engine.ApplicationBuilder.Services.AddHealthChecks()
            .Add(new HealthCheckRegistration(name, new ProtocolHealthCheck(ask), failureStatus: null, tags: null));
        return engine.WithHealthCheck(name);
    }
}
