using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.LocalEngines;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.EngineHost;

/// <summary>
/// Runs the program as a child that can't outlive this process: at a stop it is asked to end, and when this process is
/// killed the kernel kills it too. When it ends by itself this process ends as well, with its exit code, so that
/// whoever supervises this process supervises the engine. It writes to this process' own output.
/// </summary>
internal sealed class EngineChild(
    IOptions<EngineHostOptions> options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<EngineChild> logger)
    : IHostedService
{
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;
    private volatile bool _stopping;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Leftovers.Kill(options.Value.WorkingDirectory) is > 0 and var left) logger.KilledLeftovers(left, options.Value.WorkingDirectory);
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The kernel's promise is bound to the thread that starts the child, which therefore lives as long as the child.
        new Thread(() => Run(started)) { Name = "engine", IsBackground = true }.Start();
        _process = await started.Task.WaitAsync(cancellationToken);
        logger.Started(options.Value.Program, _process.Id);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _stopping = true;
        if (_process is null || _ended.Task.IsCompleted) return;
        ProcessSignals.Send(_process, options.Value.StopSignal);
        try
        {
            await _ended.Task.WaitAsync(options.Value.StopTimeout, time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            logger.Killed(options.Value.Program, _process.Id, options.Value.StopTimeout.TotalSeconds);
            ProcessSignals.Send(_process, ProcessSignals.Kill);
        }
    }

    private void Run(TaskCompletionSource<Process> started)
    {
        try
        {
            var start = options.Value.ToProcess().ToStartInfo(endWithParent: true);
            // Of this process: the child knows nothing of it.
            start.Environment.Remove(ProcessIdentity.ParentVariable);
            foreach (var name in start.Environment.Keys.Where(name => name.StartsWith(EngineHostOptions.SectionName, StringComparison.Ordinal)).ToArray())
                start.Environment.Remove(name);
            var process = Process.Start(start)!;
            started.SetResult(process);
            process.WaitForExit();
            _ended.SetResult(process.ExitCode);
            if (_stopping) return;
            logger.Ended(options.Value.Program, process.ExitCode);
            Environment.ExitCode = process.ExitCode == 0 ? 1 : process.ExitCode;
            lifetime.StopApplication();
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            started.TrySetException(e);
        }
    }
}
