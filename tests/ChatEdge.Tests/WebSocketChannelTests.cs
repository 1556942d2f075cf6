using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using WhatsAspire.ChatEdge.Connections;

namespace WhatsAspire.ChatEdge.Tests;

/// <summary>What a channel does with a transport that is slow, or gone.</summary>
public sealed class WebSocketChannelTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_flush_that_ends_while_it_is_looked_at_calls_nobody_under_the_lock()
    {
        var output = new OutputOf(() => new(new EndsAfterFirstLook(), 0));
        var input = new Pipe();
        var channel = new WebSocketChannel(new Pipes(input.Reader, output), () => { }, 1024);
        var receiver = new Receiver();
        // As a connection does that delivers under its own lock, which the receiver takes as well.
        receiver.Drained = () => receiver.Free.TrySetResult(Task.Run(() => channel.TrySend("b"u8.ToArray()), Cancel).Wait(TimeSpan.FromSeconds(10), Cancel));
        var running = channel.RunAsync(receiver);
        channel.Send("a"u8.ToArray());
        Assert.True(await receiver.Free.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel), "the lock was held while the receiver was told");
        await input.Writer.CompleteAsync();
        await running;
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Receiver : IWebSocketReceiver
    {
        public TaskCompletionSource<bool> Free { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public Action Drained { get; set; } = () => { };
        public ValueTask OnTextAsync(ReadOnlySpan<byte> text) => default;
        public void OnAlive() { }
        public void OnDrained() => Drained();
    }

    private sealed class OutputOf(Func<ValueTask<FlushResult>> flush) : PipeWriter
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        public override void Advance(int bytes) { }
        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer;
        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer;
        public override void CancelPendingFlush() { }
        public override void Complete(Exception? exception = null) { }
        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => flush();
    }

    /// <summary>Pending at the first look, and done at the next.</summary>
    private sealed class EndsAfterFirstLook : IValueTaskSource<FlushResult>
    {
        private int _looks;
        public FlushResult GetResult(short token) => default;
        public ValueTaskSourceStatus GetStatus(short token) => _looks++ == 0 ? ValueTaskSourceStatus.Pending : ValueTaskSourceStatus.Succeeded;
        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => continuation(state);
    }
}
