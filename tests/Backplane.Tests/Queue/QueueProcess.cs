using System.Diagnostics;
using System.Runtime.InteropServices;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>A QueueHost process, with the lines that it printed.</summary>
internal sealed partial class QueueProcess : IDisposable
{
    private const int SigContinue = 18;
    private const int SigStop = 19;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Process _process;

    public QueueProcess(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "WhatsAspire.QueueHost.dll"));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        _process = Process.Start(start) ?? throw new InvalidOperationException("the process did not start");
    }

    public async Task<string?> ReadLineAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Patience, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"process {_process.Id} printed no line for {Patience.TotalSeconds} s", e);
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>SIGSTOP.</summary>
    public void Freeze() => Assert.Equal(0, Signal(_process.Id, SigStop));

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Assert.Equal(0, Signal(_process.Id, SigContinue));

    /// <summary>Asks a consumer to leave.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>All lines to the end of the output.</summary>
    public async Task<List<string>> FinishAsync(CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        while (await ReadLineAsync(cancellationToken) is { } line) lines.Add(line);
        await _process.WaitForExitAsync(cancellationToken).WaitAsync(Patience, cancellationToken);
        return lines;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int processId, int signal);
}
