using WhatsAspire.Conformance;
using WhatsAspire.LocalEngines;
using Xunit;

namespace WhatsAspire.Engines.Tests.Redis;

[Trait("Requirement", "R51")]
public sealed class RedisTests : RedisConformance
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly EngineFolder _folder = new();
    private RedisEngine? _engine;
    private RunningEngine? _running;

    protected override async Task<string> StartAsync()
    {
        if (_engine is null)
        {
            _engine = Engine.Need(Engine.Redis, () => new RedisEngine(_folder.Of("redis"), FreePorts.Take(1)[0]));
            _running = new RunningEngine(_engine);
            await _running.StartAsync(Patience, Cancel);
        }

        return _engine.ConnectionString;
    }

    protected override Task KillAsync() => _running!.KillAsync(Cancel);

    protected override Task StartAgainAsync() => _running!.StartAgainAsync(Patience, Cancel);

    protected override async ValueTask EndAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
        _folder.Dispose();
    }
}
