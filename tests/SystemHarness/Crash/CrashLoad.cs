namespace WhatsAspire.SystemHarness.Crash;

/// <summary>People who write to each other while processes die: three pairs, the first of them with a second device, and
/// one who is away all the time and comes back at the end. All of them are in one group, and four of them in another: where
/// <see cref="Threshold"/> is the system's, the entries of the one go over the queue and those of the other don't.</summary>
internal sealed class CrashLoad : IAsyncDisposable
{
    private const int Talkers = 6;
    private const double PerSecond = 40;
    private const double PerSecondToAbsent = 10;
    private const double PerSecondToGroup = 1.5;

    /// <summary>Between the sizes of the two groups: the setting <c>Fanout__Threshold</c>.</summary>
    public const int Threshold = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Rest _rest;
    private readonly List<CrashClient> _talkers = [];
    private readonly CancellationTokenSource _ended = new();

    private CrashLoad(Func<Uri> address, int seed)
    {
        _rest = new Rest(address);
        Seed = seed;
    }

    public Ledger Ledger { get; } = new();

    /// <summary>Of everything that happens by chance.</summary>
    public int Seed { get; }

    /// <summary>Who talks, without second devices.</summary>
    public IReadOnlyList<CrashClient> TalkingDevices => _talkers;

    /// <summary>Who was away.</summary>
    public CrashClient Absent { get; private set; } = null!;

    /// <summary>Of the first talker.</summary>
    public CrashClient SecondDevice { get; private set; } = null!;

    public IReadOnlyList<CrashClient> Devices => [.. _talkers, SecondDevice, Absent];

    public Rest Rest => _rest;

    /// <summary>Makes the accounts, connects all devices, and begins to send.</summary>
    public static async Task<CrashLoad> StartAsync(Func<Uri> address, int seed, CancellationToken cancellationToken)
    {
        var load = new CrashLoad(address, seed);
        try
        {
            await load.ConnectAsync(address, cancellationToken);
            return load;
        }
        catch
        {
            await load.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits for a moment that a seed chooses: after some more messages, and a few milliseconds.</summary>
    public async Task MomentAsync(Random random, CancellationToken cancellationToken)
    {
        await Ledger.PromisedAsync(random.Next(50, 400), Patience, cancellationToken);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(random.Next(1, 40)));
        await timer.WaitForNextTickAsync(cancellationToken);
    }

    /// <summary>Ends the making of new messages, lets everybody get everything, and holds what they have against
    /// history, promises and positions.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        // What a death broke has to work again before the end.
        await Ledger.PromisedAsync(200, Patience, cancellationToken);
        foreach (var talker in _talkers) talker.IsBusy = false;
        await Ledger.UntilAsync(() => _talkers.All(talker => talker.Unsent == 0), Patience,
            () => $"'sent' for the last {_talkers.Sum(talker => talker.Unsent)} messages", cancellationToken);
        Absent.Start();
        await new CrashCheck(this).RunAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        foreach (var device in _talkers) await device.DisposeAsync();
        if (SecondDevice is not null) await SecondDevice.DisposeAsync();
        if (Absent is not null) await Absent.DisposeAsync();
        _rest.Dispose();
        _ended.Dispose();
    }

    private async Task ConnectAsync(Func<Uri> address, CancellationToken cancellationToken)
    {
        var run = Guid.NewGuid().ToString("N")[..8];
        for (var i = 0; i < Talkers; i++) _talkers.Add(await AddDeviceAsync(address, await AddAccountAsync(i), $"talker {i}", i, cancellationToken));
        SecondDevice = await AddDeviceAsync(address, _talkers[0].Account, "talker 0's second device", Talkers, cancellationToken);
        Absent = await AddDeviceAsync(address, await AddAccountAsync(Talkers), "absent one", Talkers + 1, cancellationToken);
        var users = _talkers.Append(Absent).Select(device => device.Account.UserId).ToArray();
        var all = await _rest.CreateGroupAsync(_talkers[0].Token, "all", users[1..], cancellationToken);
        var some = await _rest.CreateGroupAsync(_talkers[0].Token, "some", users[1..4], cancellationToken);
        for (var i = 0; i < Talkers; i++)
        {
            var talker = _talkers[i];
            talker.Partners = [(_talkers[i ^ 1].Account.UserId, false, PerSecond), (all, true, PerSecondToGroup)];
            if (i < 4) talker.Partners = [.. talker.Partners, (some, true, PerSecondToGroup)];
            talker.OtherWays = [message => _ = SendOverRestAsync(talker, message)];
            talker.IsBusy = true;
        }

        _talkers[0].OtherWays = [.. _talkers[0].OtherWays, SecondDevice.SendCopy];
        _talkers[0].Partners = [.. _talkers[0].Partners, (Absent.Account.UserId, false, PerSecondToAbsent)];
        foreach (var device in Devices) device.Start();
        await Ledger.UntilAsync(() => Devices.All(device => device.IsSynced), Patience,
            () => $"'synced' on {string.Join(", ", Devices.Where(device => !device.IsSynced).Select(device => device.Name))}", cancellationToken);
        // Has a place to continue from, and goes away.
        await Absent.StopAsync();

        Task<Account> AddAccountAsync(int i) => _rest.CreateAccountAsync($"crash-{run}-{i}", cancellationToken);
    }

    private async Task<CrashClient> AddDeviceAsync(
        Func<Uri> address, Account account, string name, int number, CancellationToken cancellationToken) =>
        new(address, account, name, await _rest.SignInAsync(account, name, cancellationToken), Ledger, Seed + number);

    private async Task SendOverRestAsync(CrashClient talker, Outgoing message)
    {
        try
        {
            if (await _rest.SendAsync(talker.Token, message, _ended.Token) is { } sent) Ledger.Sent(sent, $"{talker.Name} over REST");
            else Ledger.CountRefused();
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The run is over.
        }
        catch (InvalidDataException refused)
        {
            Ledger.Fault($"{talker.Name}: {refused.Message}");
        }
    }
}
