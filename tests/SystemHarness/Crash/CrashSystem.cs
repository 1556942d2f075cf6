using System.Globalization;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>One system for all crash tests, on one data folder and one port, however often it is started again.</summary>
public class CrashSystem : IAsyncDisposable
{
    private readonly IReadOnlyList<string> _arguments;
    private readonly IReadOnlyDictionary<string, string>? _environment;
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("whatsaspire-crash-");
    private readonly int _port = AppHostProcess.FreePort();
    private AppHostProcess? _system;

    /// <summary>A system on embedded engines.</summary>
    public CrashSystem()
        : this(AppHostProcess.Embedded)
    {
    }

    /// <summary>A system that the command line describes.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="environment">Variables for the AppHost and all that it starts.</param>
    protected CrashSystem(IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        // Of the load's two groups one is on either side of it.
        var settings = new Dictionary<string, string>(environment ?? new Dictionary<string, string>())
        {
            ["Fanout__Threshold"] = CrashLoad.Threshold.ToString(CultureInfo.InvariantCulture),
        };
        (_arguments, _environment) = (arguments, settings);
        if (OperatingSystem.IsLinux())
            File.SetUnixFileMode(_data.FullName, File.GetUnixFileMode(_data.FullName) | UnixFileMode.OtherExecute);
    }

    /// <summary>The folder of everything durable.</summary>
    public string DataPath => _data.FullName;

    /// <summary>Where clients connect.</summary>
    public Uri Address => new($"http://localhost:{_port}");

    /// <summary>The running system; started if it is not.</summary>
    public async Task<AppHostProcess> SystemAsync(CancellationToken cancellationToken)
    {
        AppHostProcess.RequireLinux();
        return _system ??= await AppHostProcess.StartAsync(_data.FullName, _port, _environment, _arguments, cancellationToken: cancellationToken);
    }

    /// <summary>Ends the AppHost, by SIGTERM or SIGKILL, and starts it again on the same data when nothing of it is left.</summary>
    public async Task RestartAsync(bool kill, CancellationToken cancellationToken)
    {
        var system = await SystemAsync(cancellationToken);
        if (kill) await system.KillAppHostAsync(cancellationToken);
        else Assert.Equal(0, await system.StopAsync(cancellationToken: cancellationToken));
        await system.GoneAsync(TimeSpan.FromSeconds(60), cancellationToken);
        await system.DisposeAsync();
        _system = null;
        await SystemAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_system is not null) await _system.DisposeAsync();
        _data.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }
}
