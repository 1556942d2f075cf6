using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.QueueTool;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>On the embedded queue, as an operator has it.</summary>
[Trait("Requirement", "R32")]
public sealed class DeadLetterCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("whatsaspire-letters-");
    private readonly IHost _host;

    public DeadLetterCommandTests()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Queue:Path"] = Path.Combine(_folder.FullName, "queue.db") });
        builder.Services.AddMetrics();
        builder.AddQueue();
        _host = builder.Build();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IEventQueue Queue => _host.Services.GetRequiredService<IEventQueue>();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("list")]
    [InlineData("list push all")]
    [InlineData("replay push")]
    [InlineData("replay push 3")]
    [InlineData("replay push a:1")]
    [InlineData("replay push -1:1")]
    [InlineData("burn push all")]
    public void What_it_does_not_know_gets_the_usage(string arguments) =>
        Assert.Null(DeadLetterCommand.Parse(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public async Task Dead_letters_are_listed_replayed_and_discarded()
    {
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var died = new SemaphoreSlim(0);
        var mayDo = false;
        await using var subscription = await Queue.SubscribeAsync("push", "push", (received, _) =>
        {
            if (Volatile.Read(ref mayDo))
            {
                handled.TrySetResult();
                return new(Handled.Done);
            }

            died.Release();
            return new(Handled.Dead("the provider refused it"));
        }, Cancel);
        foreach (var key in new[] { "ann", "bob" })
            await Queue.PublishAsync("push", new() { Key = key, Type = "push.v1", Payload = "{}"u8.ToArray() }, Cancel);
        for (var i = 0; i < 2; i++) Assert.True(await died.WaitAsync(TimeSpan.FromSeconds(20), Cancel), "waited 20 s for a handler call");

        var listed = await UntilAsync(2);
        Assert.Contains("push.v1  ann  push  1 attempts: the provider refused it", listed, StringComparison.Ordinal);
        var first = listed.Split('\n')[0].Split(' ')[0];

        Assert.Equal((0, true), await RunAsync("discard", "push", first));
        await UntilAsync(1);
        Volatile.Write(ref mayDo, true);
        Assert.Equal((0, true), await RunAsync("replay", "push", "all"));
        await handled.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await UntilAsync(0);
        Assert.Equal((1, false), await RunAsync("replay", "push", first));
    }

    [Fact]
    public async Task A_topic_that_can_t_be_is_said_to_be_so()
    {
        var errors = new StringWriter();
        Assert.Equal(2, await DeadLetterCommand.Parse(["list", "no topic"])!.RunAsync(Queue, new StringWriter(), errors, Cancel));
        Assert.NotEmpty(errors.ToString());
    }

    /// <summary>A letter is written after its handler's answer, and nothing tells when.</summary>
    private async Task<string> UntilAsync(int open)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        timeout.CancelAfter(TimeSpan.FromSeconds(20));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            var output = new StringWriter(new StringBuilder());
            Assert.Equal(0, await DeadLetterCommand.Parse(["list", "push"])!.RunAsync(Queue, output, new StringWriter(), Cancel));
            if (output.ToString().TrimEnd().EndsWith($"{open} open", StringComparison.Ordinal)) return output.ToString();
            await timer.WaitForNextTickAsync(timeout.Token);
        }
    }

    private async Task<(int ExitCode, bool Said)> RunAsync(params string[] arguments)
    {
        var output = new StringWriter();
        var exitCode = await DeadLetterCommand.Parse(arguments)!.RunAsync(Queue, output, new StringWriter(), Cancel);
        return (exitCode, output.ToString().Length > 0);
    }
}
