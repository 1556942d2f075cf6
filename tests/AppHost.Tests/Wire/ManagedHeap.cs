using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>How much another .NET process holds alive: its heap after a full collection that is asked for over the
/// runtime's diagnostic port. Unlike the resident set it does not sway with what is garbage.</summary>
internal static class ManagedHeap
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Collects, three times since finalizers free more, and gives the smallest heap: bytes.</summary>
    public static async Task<long> CollectAsync(int processId, CancellationToken cancellationToken)
    {
        var smallest = long.MaxValue;
        for (var i = 0; i < 3; i++) smallest = Math.Min(smallest, await CollectOnceAsync(processId, cancellationToken));
        return smallest;
    }

    private static async Task<long> CollectOnceAsync(int processId, CancellationToken cancellationToken)
    {
        // A session with this keyword begins with a full blocking collection.
        const ClrTraceEventParser.Keywords keywords = ClrTraceEventParser.Keywords.GC | ClrTraceEventParser.Keywords.GCHeapCollect;
        var client = new DiagnosticsClient(processId);
        using var session = await client.StartEventPipeSessionAsync(
            [new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, (long)keywords)], requestRundown: false, token: cancellationToken);
        var collected = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var isFull = false;
        var reading = Task.Run(
            () =>
            {
                using var source = new EventPipeEventSource(session.EventStream);
                source.Clr.GCStart += start => isFull = start.Depth == 2 && start.Reason == Microsoft.Diagnostics.Tracing.Parsers.Clr.GCReason.Induced;
                source.Clr.GCHeapStats += heap =>
                {
                    if (isFull)
                        collected.TrySetResult(heap.GenerationSize0 + heap.GenerationSize1 + heap.GenerationSize2 + heap.GenerationSize3 + heap.GenerationSize4);
                };
                source.Process();
            },
            cancellationToken);
        try
        {
            return await collected.Task.WaitAsync(Patience, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Waited {Patience.TotalSeconds:F0} s for a full collection in process {processId}.");
        }
        finally
        {
            await session.StopAsync(cancellationToken);
            await reading;
        }
    }
}
