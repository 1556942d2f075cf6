using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace WhatsAspire.ServiceDefaults;

/// <summary>A JSON file whose settings win over all others, and that may be changed while the processes run. The setting
/// <c>SettingsFile</c> names it; it need not be there. It is looked at once a second rather than watched: that also sees what a
/// mounted file's change of a link does, and wakes nobody for what else happens in its folder.</summary>
internal static class SettingsFile
{
    /// <summary>The setting with the file's path.</summary>
    public const string Setting = "SettingsFile";

    /// <summary>Adds the file last of all that is there.</summary>
    public static void AddSettingsFile(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(typeof(LiveOptions<>));
        if (builder.Configuration[Setting] is not { Length: > 0 } path) return;
        var provider = new SettingsFileProvider(Path.GetFullPath(path));
        builder.Configuration.Add(new Source(provider));
        builder.Services.AddHostedService(services => new SettingsFileWatch(
            provider, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<SettingsFileWatch>>()));
    }

    private sealed class Source(SettingsFileProvider provider) : IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => provider;
    }
}

/// <summary>What the file says; what it said before, while it can't be used.</summary>
internal sealed class SettingsFileProvider(string path) : ConfigurationProvider
{
    private byte[] _read = [];
    private string? _parseFault;

    public string FilePath => path;

    /// <summary>Why the file can't be used as it is; null when it can.</summary>
    public string? Fault { get; private set; }

    public override void Load() => TryRead();

    /// <summary>Takes what the file says by now.</summary>
    /// <returns>Whether it had changed.</returns>
    public bool Refresh()
    {
        if (!TryRead()) return false;
        if (Fault is null) OnReload();
        return true;
    }

    private bool TryRead()
    {
        byte[] bytes;
        bool isThere;
        try
        {
            isThere = File.Exists(path);
            bytes = isThere ? File.ReadAllBytes(path) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var isNew = Fault != e.Message;
            Fault = e.Message;
            return isNew;
        }

        Fault = _parseFault;
        // Without a byte it is just being written anew; what it says comes with the next look.
        if (bytes.AsSpan().SequenceEqual(_read) || (isThere && bytes.Length == 0)) return false;
        _read = bytes;
        try
        {
            Data = Parse(bytes);
            Fault = _parseFault = null;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidDataException)
        {
            // Whoever writes it may be in the midst of that: the next look sees the rest.
            Fault = _parseFault = e.InnerException?.Message ?? e.Message;
        }

        return true;
    }

    private static Dictionary<string, string?> Parse(byte[] json)
    {
        var data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        if (json.AsSpan().Trim(" \t\r\n"u8).Length == 0) return data;
        using var stream = new MemoryStream(json, writable: false);
        var parsed = new ConfigurationBuilder().AddJsonStream(stream).Build();
        foreach (var (key, value) in parsed.AsEnumerable())
            if (value is not null) data[key] = value;
        return data;
    }
}

/// <summary>Looks at the file while the process runs. A process does not start with one that can't be used.</summary>
internal sealed class SettingsFileWatch(SettingsFileProvider file, TimeProvider time, ILogger<SettingsFileWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    public override Task StartAsync(CancellationToken cancellationToken) => file.Fault is { } fault
        ? throw new OptionsValidationException(SettingsFile.Setting, typeof(SettingsFileProvider), [$"The settings file {file.FilePath} can't be used: {fault}"])
        : base.StartAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Pace, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Look();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private void Look()
    {
        try
        {
            if (!file.Refresh()) return;
            if (file.Fault is { } fault) logger.SettingsFileRefused(file.FilePath, fault);
            else logger.SettingsFileRead(file.FilePath);
        }
        catch (Exception e)
        {
            // From others who were told of the change: values that they can't use. They keep theirs.
            logger.SettingsFileRefused(file.FilePath, (e as AggregateException)?.Flatten().InnerExceptions[0].Message ?? e.Message);
        }
    }
}
