using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.SystemHarness;

/// <summary>
/// The whole system as a user starts it: the built AppHost in a process of its own, with its own data folder and
/// ports, so that several can run at once, and any process of it can be killed. Dispose ends every process and, unless
/// the folder was given, removes the data.
/// </summary>
public sealed partial class AppHostProcess : IAsyncDisposable
{
    /// <summary>Inherited by everything that the AppHost starts, however far down.</summary>
    private const string MarkVariable = "WHATSASPIRE_TEST_SYSTEM";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly string _mark = Guid.NewGuid().ToString("N");
    private readonly bool _ownsData;
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();

    private AppHostProcess(
        string? dataPath, int? port, IReadOnlyDictionary<string, string>? environment, IReadOnlyList<string>? arguments)
    {
        _ownsData = dataPath is null;
        DataPath = dataPath ?? Directory.CreateTempSubdirectory("whatsaspire-").FullName;
        // An engine may run as another user, who has to pass through.
        if (_ownsData && OperatingSystem.IsLinux())
            File.SetUnixFileMode(DataPath, File.GetUnixFileMode(DataPath) | UnixFileMode.OtherExecute);
        Port = port ?? FreePort();
        var start = new ProcessStartInfo(Program, ["--data", DataPath, "--port", $"{Port}", .. arguments ?? Embedded])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = DataPath,
        };
        start.Environment[MarkVariable] = _mark;
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Record(line.Data);
        _process.ErrorDataReceived += (_, line) => Record(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it runs on unless a test says otherwise, whatever the machine has.</summary>
    public static IReadOnlyList<string> Embedded { get; } = ["--engines", "embedded"];

    /// <summary>The longest that a start may take.</summary>
    public static TimeSpan StartTimeout { get; } = TimeSpan.FromSeconds(180);

    /// <summary>The built program.</summary>
    public static string Program { get; } = Path.GetFullPath(typeof(AppHostProcess).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(metadata => metadata.Key == "AppHostProgram").Value!);

    /// <summary>The folder of everything durable.</summary>
    public string DataPath { get; }

    /// <summary>The public port.</summary>
    public int Port { get; }

    /// <summary>The public address, with both edges behind it.</summary>
    public Uri BaseAddress => new($"http://localhost:{Port}");

    /// <summary>The id of the AppHost's own process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>How long the start took, from the process' start to its 'ready' line.</summary>
    public TimeSpan StartTook { get; private set; }

    /// <summary>What the AppHost has written so far.</summary>
    public string Log => string.Join('\n', _log);

    /// <summary>Starts a system, and waits until all of it is healthy.</summary>
    /// <param name="dataPath">A folder to keep, for a restart on the same data; without it one is made, and removed at the end.</param>
    /// <param name="port">The public port, for a restart that clients find again; without it a free one.</param>
    /// <param name="environment">Variables for the AppHost and all that it starts.</param>
    /// <param name="arguments">More of the command line; unless given, <see cref="Embedded"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<AppHostProcess> StartAsync(
        string? dataPath = null, int? port = null, IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyList<string>? arguments = null, CancellationToken cancellationToken = default)
    {
        var started = Stopwatch.GetTimestamp();
        var system = Begin(dataPath, port, environment, arguments);
        try
        {
            await system.LoggedAsync(ReadyLine(), StartTimeout, cancellationToken);
            system.StartTook = Stopwatch.GetElapsedTime(started);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a system, and does not wait.</summary>
    /// <param name="dataPath">As for <see cref="StartAsync"/>.</param>
    /// <param name="port">As for <see cref="StartAsync"/>.</param>
    /// <param name="environment">As for <see cref="StartAsync"/>.</param>
    /// <param name="arguments">As for <see cref="StartAsync"/>.</param>
    public static AppHostProcess Begin(
        string? dataPath = null, int? port = null, IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyList<string>? arguments = null)
    {
        RequireLinux();
        return new(dataPath, port, environment, arguments);
    }

    /// <summary>Skips the test where processes can't be found and signalled the way this fixture does it.</summary>
    public static void RequireLinux() =>
        Assert.SkipUnless(OperatingSystem.IsLinux(), "It finds the processes of the system in /proc, which only Linux has.");

    /// <summary>A TCP port that nothing listens on.</summary>
    public static int FreePort() => FreePorts.Take();

    /// <summary>All living processes of the system: AppHost, services, engines, orchestrator, dashboard.</summary>
    public IReadOnlyList<SystemProcess> Processes() => LinuxProcesses.With(MarkVariable, _mark, DataPath);

    /// <summary>The process of a real engine: the child of the service that watches it.</summary>
    public SystemProcess Engine(string service)
    {
        var host = Assert.Single(Services(service));
        return Assert.Single(Processes(), process => LinuxProcesses.ParentOf(process.ProcessId) == host.ProcessId);
    }

    /// <summary>The living replicas of our services, by name.</summary>
    public IReadOnlyList<SystemProcess> Services() =>
        [.. Processes().Where(process => process.IsService).OrderBy(process => process.Name, StringComparer.Ordinal)];

    /// <summary>The living replicas of one service.</summary>
    public IReadOnlyList<SystemProcess> Services(string name) => [.. Services().Where(service => service.Name == name)];

    /// <summary>Kills one replica of a service with SIGKILL, and waits until it is gone.</summary>
    /// <returns>The process that was.</returns>
    public async Task<SystemProcess> KillAsync(string service, CancellationToken cancellationToken = default)
    {
        var replicas = Services(service);
        if (replicas.Count == 0)
            throw new InvalidOperationException($"There is no living replica of {service} to kill.");
        await KillAsync([replicas[0]], cancellationToken);
        return replicas[0];
    }

    /// <summary>Kills these processes at one go with SIGKILL, and waits until they are gone.</summary>
    public Task KillAsync(IReadOnlyCollection<SystemProcess> victims, CancellationToken cancellationToken = default)
    {
        foreach (var victim in victims)
            LinuxProcesses.Signal(victim.ProcessId, LinuxProcesses.SigKill);
        var ids = victims.Select(victim => victim.ProcessId).ToHashSet();
        return UntilAsync(
            () => !Processes().Any(process => ids.Contains(process.ProcessId)),
            TimeSpan.FromSeconds(5), () => "the end of the killed processes", cancellationToken);
    }

    /// <summary>Kills the AppHost alone with SIGKILL; what it started has to notice by itself.</summary>
    public async Task KillAppHostAsync(CancellationToken cancellationToken = default)
    {
        LinuxProcesses.Signal(_process.Id, LinuxProcesses.SigKill);
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>
    /// Waits until a service has this many replicas that did not exist before, each of which answers that it is ready.
    /// </summary>
    /// <returns>The new replicas.</returns>
    /// <exception cref="InvalidOperationException">The AppHost has ended; the message has its log.</exception>
    public async Task<IReadOnlyList<SystemProcess>> ReplacedAsync(
        string service, IReadOnlyCollection<SystemProcess> before, int count, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var old = before.Select(process => process.ProcessId).ToHashSet();
        IReadOnlyList<SystemProcess> fresh = [];
        using var client = new HttpClient();
        await UntilAsync(
            async () =>
            {
                if (_process.HasExited) throw Ended();
                fresh = [.. Services(service).Where(process => !old.Contains(process.ProcessId))];
                return fresh.Count >= count
                    && (await Task.WhenAll(fresh.Select(process => IsReadyAsync(client, process, cancellationToken)))).All(ready => ready);
            },
            timeout, () => $"{count} new ready replicas of {service}, of which there are {fresh.Count}", cancellationToken);
        return fresh;
    }

    /// <summary>Waits for a line of the AppHost's log, from its beginning.</summary>
    /// <exception cref="TimeoutException">It did not come; the message has the log.</exception>
    public Task LoggedAsync(Regex line, TimeSpan timeout, CancellationToken cancellationToken = default) => UntilAsync(
        () => _log.Any(line.IsMatch) || (_process.HasExited
            ? throw Ended()
            : false),
        timeout, () => $"a line like '{line}'", cancellationToken);

    /// <summary>Asks for the end as Ctrl-C or a service manager does, and waits for it.</summary>
    /// <returns>The exit code of the AppHost.</returns>
    public async Task<int> StopAsync(bool interrupt = false, CancellationToken cancellationToken = default)
    {
        LinuxProcesses.Signal(_process.Id, interrupt ? LinuxProcesses.SigInt : LinuxProcesses.SigTerm);
        await _process.WaitForExitAsync(cancellationToken).WaitAsync(TimeSpan.FromSeconds(120), cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Waits until no process of the system remains.</summary>
    /// <exception cref="TimeoutException">Some do; the message names them.</exception>
    public Task GoneAsync(TimeSpan timeout, CancellationToken cancellationToken = default) => UntilAsync(
        () => Processes().Count == 0, timeout,
        () => $"the end of {string.Join(", ", Processes().Select(process => $"{process.Name} ({process.ProcessId})"))}",
        cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The AppHost first, or it would start again what is killed.
        LinuxProcesses.Signal(_process.Id, LinuxProcesses.SigKill);
        await _process.WaitForExitAsync();
        await KillAsync(Processes());
        _process.Dispose();
        if (_ownsData)
            Directory.Delete(DataPath, recursive: true);
    }

    private static async Task<bool> IsReadyAsync(HttpClient client, SystemProcess process, CancellationToken cancellationToken)
    {
        if (process.Address is null)
            return true;
        try
        {
            using var response = await client.GetAsync(new Uri(process.Address, "/health/ready"), cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private Task UntilAsync(Func<bool> condition, TimeSpan timeout, Func<string> what, CancellationToken cancellationToken) =>
        UntilAsync(() => Task.FromResult(condition()), timeout, what, cancellationToken);

    /// <summary>The kernel gives no signal for processes of others that come and go, so they are looked for.</summary>
    public async Task UntilAsync(
        Func<Task<bool>> condition, TimeSpan timeout, Func<string> what, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(Poll);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > timeout)
                throw new TimeoutException($"Waited {timeout.TotalSeconds:F0} s for {what()}. The AppHost's log:\n{Log}");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private InvalidOperationException Ended() => new($"The AppHost ended with exit code {_process.ExitCode}:\n{Log}");

    private void Record(string? line)
    {
        if (line is not null)
            _log.Enqueue(line);
    }

    [GeneratedRegex("^ready in ")]
    private static partial Regex ReadyLine();
}
