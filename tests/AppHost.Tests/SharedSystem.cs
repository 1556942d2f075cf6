namespace WhatsAspire.AppHost.Tests;

/// <summary>
/// One system for all tests of a class, started by the first that asks for it. For tests that leave it healthy.
/// </summary>
public sealed class SharedSystem : IAsyncDisposable
{
    private readonly Lazy<Task<AppHostProcess>> _system = new(() => AppHostProcess.StartAsync());

    /// <summary>The running system.</summary>
    public Task<AppHostProcess> SystemAsync()
    {
        AppHostProcess.RequireLinux();
        return _system.Value;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_system.IsValueCreated)
            await (await _system.Value).DisposeAsync();
    }
}
