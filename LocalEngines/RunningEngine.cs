using System.Diagnostics;
using System.Runtime.Versioning;

namespace WhatsAspire.LocalEngines;

/// <summary>Runs an engine's process: starts it, waits until it serves, stops, kills, freezes it. Its output goes to
/// <c>output.log</c> in its folder. Disposing kills what still runs.</summary>
[SupportedOSPlatform("linux")]
public sealed class RunningEngine : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private readonly ILocalEngine _engine;
    private Process? _process;
    private Task _output = Task.CompletedTask;

    public RunningEngine(ILocalEngine engine) => _engine = engine;

    /// <summary>The process's id; 0 while none was started.</summary>
    public int ProcessId => _process?.Id ?? 0;

    /// <summary>Prepares the folder, starts the process, and returns when the engine serves its clients.</summary>
    /// <exception cref="InvalidOperationException">It runs already, or ended before it was ready.</exception>
    /// <exception cref="TimeoutException">It was not ready within <paramref name="patience"/>.</exception>
    public async Task StartAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (_process is { HasExited: false })
            throw new InvalidOperationException($"{_engine.Name} runs already.");
        await _engine.PrepareAsync(cancellationToken);
        Leftovers.Kill(_engine.Folder);
        var start = _engine.Process.ToStartInfo();
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process?.Dispose();
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        _output = KeepOutputAsync(_process);
        await UntilReadyAsync(_process, patience, cancellationToken);
    }

    /// <summary>Asks the engine to end, by its own signal, and waits until it has.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => EndAsync(_engine.Process.StopSignal, cancellationToken);

    /// <summary>Kills the process (SIGKILL) and waits until it is gone.</summary>
    public Task KillAsync(CancellationToken cancellationToken) => EndAsync(ProcessSignals.Kill, cancellationToken);

    /// <summary>Stops the process where it stands (SIGSTOP): its sockets stay open and answer nothing.</summary>
    public void Freeze() => ProcessSignals.Send(Running(), ProcessSignals.Stop);

    /// <summary>Lets a frozen process go on.</summary>
    public void Thaw() => ProcessSignals.Send(Running(), ProcessSignals.Continue);

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        if (!_process.HasExited)
            await EndAsync(ProcessSignals.Kill, CancellationToken.None);
        _process.Dispose();
        _process = null;
    }

    private async Task EndAsync(int signal, CancellationToken cancellationToken)
    {
        var process = Running();
        ProcessSignals.Send(process, signal);
        await process.WaitForExitAsync(cancellationToken);
        await _output.WaitAsync(cancellationToken);
    }

    private Process Running() => _process ?? throw new InvalidOperationException($"{_engine.Name} was not started.");

    private async Task UntilReadyAsync(Process process, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(patience);
        try
        {
            while (!await _engine.IsReadyAsync(late.Token))
            {
                if (process.HasExited)
                    throw new InvalidOperationException($"{_engine.Name} ended with {process.ExitCode} before it was ready: {LastLines()}");
                await Task.Delay(Pause, late.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{_engine.Name} was not ready after {patience.TotalSeconds:0} s: {LastLines()}");
        }
    }

    private async Task KeepOutputAsync(Process process)
    {
        var gate = new Lock();
        await using var log = new StreamWriter(LogPath, append: true) { AutoFlush = true };
        await Task.WhenAll(CopyAsync(process.StandardOutput), CopyAsync(process.StandardError));

        async Task CopyAsync(StreamReader from)
        {
            while (await from.ReadLineAsync() is { } line)
            {
                lock (gate)
                    log.WriteLine(line);
            }
        }
    }

    private string LogPath => Path.Combine(_engine.Folder, "output.log");

    private string LastLines()
    {
        if (!File.Exists(LogPath))
            return "it wrote nothing";
        using var log = new StreamReader(new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return string.Join('\n', log.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(20));
    }
}
