using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Options that may change while the process runs. A change that can't be used is logged, and what held before goes on
/// to hold: unlike with <see cref="IOptionsMonitor{TOptions}"/>, which throws at whoever asks next.</summary>
public sealed class LiveOptions<TOptions> : IDisposable
    where TOptions : class
{
    private readonly IOptionsFactory<TOptions> _factory;
    private readonly ILogger _logger;
    private readonly IDisposable _changes;
    private volatile TOptions _current;

    /// <exception cref="OptionsValidationException">The first ones can't be used.</exception>
    public LiveOptions(IOptionsFactory<TOptions> factory, IConfiguration configuration, ILogger<LiveOptions<TOptions>> logger)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(configuration);
        (_factory, _logger) = (factory, logger);
        _current = factory.Create(Options.DefaultName);
        _changes = ChangeToken.OnChange(configuration.GetReloadToken, Refresh);
    }

    /// <summary>The newest that can be used. Take it once for what belongs together.</summary>
    public TOptions Current => _current;

    public void Dispose() => _changes.Dispose();

    private void Refresh()
    {
        try
        {
            _current = _factory.Create(Options.DefaultName);
        }
        // The second is what a value of another type is.
        catch (Exception e) when (e is OptionsValidationException or InvalidOperationException)
        {
            _logger.SettingsRefused(typeof(TOptions).Name, e.Message);
        }
    }
}
