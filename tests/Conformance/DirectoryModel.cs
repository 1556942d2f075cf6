using System.Security.Cryptography;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using Xunit;

namespace WhatsAspire.Conformance;

/// <summary>A directory as plain lists, and a walk that does the same random steps on it and on a real one.</summary>
public sealed partial class DirectoryModel : IDirectory
{
    private readonly List<Account> _accounts = [];
    private readonly List<Entry> _devices = [];
    private readonly List<(UserId Blocker, UserId Blocked, DateTimeOffset At)> _blocks = [];
    private readonly List<SigningKey> _keys = [];

    private sealed class Entry(Device device, RefreshTokenHash token)
    {
        public Device Device { get; set; } = device;
        public byte[] Family { get; set; } = token.Family;
        public List<byte[]> Given { get; set; } = [token.Secret];
        public byte[]? Last { get; set; }
        public DateTimeOffset ExchangedAt { get; set; }
        public bool CameTwice { get; set; }
        public PushRegistration? Push { get; set; }
        public Dictionary<ConversationId, (long Pushed, long Cleared)> Marks { get; set; } = [];
    }

    /// <summary>Asserts that every answer of <paramref name="real"/> is the model's.</summary>
    /// <param name="real">An empty directory.</param>
    /// <param name="seed">Of the steps; printed with a failure.</param>
    /// <param name="steps">How many.</param>
    /// <param name="cancellationToken">The test's.</param>
    public static async Task CompareAsync(IDirectory real, int seed, int steps, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var model = new DirectoryModel();
        var now = new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
        List<UserId> users = [];
        List<Device> devices = [];
        List<RefreshTokenHash> tokens = [];
        List<PushRegistration> pushes = [];
        for (var i = 0; i < steps; i++)
        {
            now = now.AddMilliseconds(random.Next(20_000));
            var (step, run) = Step(random, now, users, devices, tokens, pushes, cancellationToken);
            var expected = await run(model);
            var actual = await run(real);
            Assert.True(expected == actual, $"seed {seed}, step {i}, {step}: expected {expected}, got {actual}");
        }
    }

    private static (string Step, Func<IDirectory, Task<string>> Run) Step(
        Random random, DateTimeOffset now, List<UserId> users, List<Device> devices, List<RefreshTokenHash> tokens,
        List<PushRegistration> pushes, CancellationToken cancel)
    {
        UserId User() => users.Count == 0 ? new(NewGuid(random)) : users[random.Next(users.Count)];
        var choice = users.Count < 4 ? 0 : random.Next(150);
        switch (choice)
        {
            case < 10:
                var name = $"user{random.Next(30)}";
                if (random.Next(2) == 0) name = name.ToUpperInvariant();
                var account = new Account(new(NewGuid(random)), name, name, random.Next(2) == 0 ? null : "about", "hash", now);
                return ($"add {name}", async d =>
                {
                    var added = await d.AddAccountAsync(account, cancel);
                    if (added && d is DirectoryModel) users.Add(account.Id);
                    return $"{added} {await d.FindAccountAsync(name, cancel)} {await d.FindAccountAsync(account.Id, cancel)}";
                }
                );
            case < 30:
                var device = new Device(
                    devices.Count > 0 && random.Next(3) == 0 ? devices[random.Next(devices.Count)].Id : new(NewGuid(random)), User(), $"name {random.Next(100)}", "ios", now, now);
                var token = new RefreshTokenHash(random.Bytes(), random.Bytes());
                devices.Add(device);
                tokens.Add(token);
                return ($"put {device}", async d => $"{await d.PutDeviceAsync(device, token, cancel)} {await All(d.ListDevicesAsync(device.User, cancel))}");
            case < 65 when tokens.Count > 0:
                // Mostly the newest tokens, so that chains get long; sometimes any.
                var presented = tokens[random.Next(10) == 0 ? random.Next(tokens.Count) : Math.Max(0, tokens.Count - 1 - random.Next(3))];
                var next = random.Bytes();
                tokens.Add(presented with { Secret = next });
                return ("rotate", async d =>
                {
                    var outcome = await d.RotateRefreshTokenAsync(presented, next, now, TimeSpan.FromSeconds(30), cancel);
                    return outcome.Device is { } owner ? $"{outcome} {await All(d.ListDevicesAsync(owner.User, cancel))}" : $"{outcome}";
                }
                );
            case < 70 when devices.Count > 0:
                var any = devices[random.Next(devices.Count)];
                var (which, of) = (any.Id, random.Next(4) == 0 ? User() : any.User);
                return ($"remove {which}", async d =>
                    $"{await d.RemoveDeviceAsync(of, which, cancel)} {await d.FindDeviceAsync(of, which, cancel)} {await All(d.ListDevicesAsync(of, cancel))}");
            case < 82:
                var (a, b) = (User(), User());
                return ($"block {a} {b}", async d =>
                {
                    await d.AddBlockAsync(a, b, now, cancel);
                    return $"{await d.IsBlockedAsync(a, b, cancel)} {await d.IsBlockedAsync(b, a, cancel)} {await All(d.ListBlocksAsync(a, cancel))}";
                }
                );
            case < 92:
                var (x, y) = (User(), User());
                return ($"unblock {x} {y}", async d =>
                {
                    await d.RemoveBlockAsync(x, y, cancel);
                    return $"{await d.IsBlockedAsync(x, y, cancel)} {await All(d.ListBlocksAsync(x, cancel))}";
                }
                );
            case >= 100 when devices.Count > 0:
                return PushStep(random, now, users, devices, pushes, cancel);
            default:
                var from = now.AddMinutes(random.Next(-60, 60));
                var key = new SigningKey(NewGuid(random).ToString(), random.Bytes(), from, from.AddMinutes(20), from.AddMinutes(30));
                return ("key", async d =>
                {
                    var keys = await d.AddSigningKeyIfDueAsync(key, cancel);
                    return string.Join(' ', keys.Concat(await d.ListSigningKeysAsync(now, cancel)).Select(k => k.Id + Convert.ToHexString(k.Private)));
                }
                );
        }
    }

    private static Guid NewGuid(Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        return new(bytes);
    }

    private static async Task<string> All<T>(Task<IReadOnlyList<T>> list) => string.Join(", ", await list);

    public Task<bool> AddAccountAsync(Account account, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(account);
        var holder = Named(account.Username);
        if (holder is null) _accounts.Add(account);
        return Task.FromResult(holder is null || holder.Id == account.Id);
    }

    public Task<Account?> FindAccountAsync(UserId user, CancellationToken cancellationToken) =>
        Task.FromResult(_accounts.Find(a => a.Id == user));

    public Task<Account?> FindAccountAsync(string username, CancellationToken cancellationToken) => Task.FromResult(Named(username));

    private Account? Named(string username) => _accounts.Find(a => a.Username.Equals(username, StringComparison.OrdinalIgnoreCase));

    public Task<bool> PutDeviceAsync(Device device, RefreshTokenHash refreshToken, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(device);
        var known = _devices.Find(e => e.Device.Id == device.Id);
        if (known is not null && known.Device.User != device.User) return Task.FromResult(false);
        if (known is not null) _devices.Remove(known);
        _devices.Add(new(device with { CreatedAt = known?.Device.CreatedAt ?? device.CreatedAt }, refreshToken)
        {
            Push = known?.Push,
            Marks = known?.Marks ?? [],
        });
        return Task.FromResult(true);
    }

    public Task<IReadOnlyList<Device>> ListDevicesAsync(UserId user, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<Device>>(
            [.. _devices.Select(e => e.Device).Where(d => d.User == user).OrderBy(d => d.CreatedAt).ThenBy(d => d.Id.ToString(), StringComparer.Ordinal)]);

    public Task<Device?> FindDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
        Task.FromResult(_devices.Find(e => e.Device.Id == device && e.Device.User == user)?.Device);

    public Task<bool> RemoveDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
        Task.FromResult(_devices.RemoveAll(e => e.Device.Id == device && e.Device.User == user) == 1);

    public Task<RotationOutcome> RotateRefreshTokenAsync(
        RefreshTokenHash presented, byte[] nextHash, DateTimeOffset now, TimeSpan grace, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(presented);
        if (_devices.Find(e => e.Family.AsSpan().SequenceEqual(presented.Family)) is not { } entry)
            return Task.FromResult(new RotationOutcome(RotationStatus.Unknown, null));
        var current = Same(entry.Given[^1], presented.Secret);
        var again = !current && entry.Last is not null && Same(entry.Last, presented.Secret) && !entry.CameTwice && now - entry.ExchangedAt <= grace;
        if (!current && !again)
        {
            _devices.Remove(entry);
            return Task.FromResult(new RotationOutcome(RotationStatus.Reused, entry.Device));
        }
        if (current) (entry.Last, entry.ExchangedAt) = (presented.Secret, now);
        entry.CameTwice = again;
        entry.Given.Add(nextHash);
        entry.Device = entry.Device with { LastTokenAt = now };
        return Task.FromResult(new RotationOutcome(RotationStatus.Rotated, entry.Device));
    }

    private static bool Same(byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b);

    public Task AddBlockAsync(UserId blocker, UserId blocked, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (!_blocks.Exists(b => b.Blocker == blocker && b.Blocked == blocked)) _blocks.Add((blocker, blocked, now));
        return Task.CompletedTask;
    }

    public Task RemoveBlockAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken)
    {
        _blocks.RemoveAll(b => b.Blocker == blocker && b.Blocked == blocked);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<UserId>> ListBlocksAsync(UserId blocker, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<UserId>>(
            [.. _blocks.Where(b => b.Blocker == blocker).OrderBy(b => b.At).ThenBy(b => b.Blocked.ToString(), StringComparer.Ordinal).Select(b => b.Blocked)]);

    public Task<bool> IsBlockedAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken) =>
        Task.FromResult(_blocks.Exists(b => b.Blocker == blocker && b.Blocked == blocked));

    public Task<IReadOnlyList<SigningKey>> AddSigningKeyIfDueAsync(SigningKey key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!_keys.Exists(k => k.SignsFrom <= key.SignsFrom && key.SignsFrom < k.SignsUntil)) _keys.Add(key);
        return ListSigningKeysAsync(key.SignsFrom, cancellationToken);
    }

    public Task<IReadOnlyList<SigningKey>> ListSigningKeysAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<SigningKey>>(
            [.. _keys.Where(k => k.ExpiresAt > now).OrderByDescending(k => k.SignsFrom).ThenBy(k => k.Id, StringComparer.Ordinal)]);
}

file static class RandomBytes
{
    public static byte[] Bytes(this Random random)
    {
        var bytes = new byte[32];
        random.NextBytes(bytes);
        return SHA256.HashData(bytes);
    }
}
