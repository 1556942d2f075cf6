using System.Security.Cryptography;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using Xunit;

namespace WhatsAspire.Conformance;

/// <summary>What every <see cref="IDirectory"/> must do. An adapter's test class derives from it and says how to get
/// one.</summary>
public abstract partial class DirectoryConformance
{
    protected static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, 123, TimeSpan.Zero);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>An empty directory that lives until the test ends.</summary>
    protected abstract Task<IDirectory> OpenAsync();

    protected static Account NewAccount(string username, string? about = null) =>
        new(UserId.New(), username, $"{username} the Ünique 👋", about, "hash of " + username, Now);

    protected static Device NewDevice(UserId user, string name = "phone") => new(DeviceId.New(), user, name, "ios", Now, Now);

    protected static byte[] Bytes(int seed) => SHA256.HashData(BitConverter.GetBytes(seed));

    protected static RefreshTokenHash Token(int family, int secret) => new(Bytes(family), Bytes(secret));

    /// <summary>An account that is there.</summary>
    protected static async Task<UserId> AccountAsync(IDirectory directory, string username)
    {
        var account = NewAccount(username);
        Assert.True(await directory.AddAccountAsync(account, Cancel));
        return account.Id;
    }

    [Fact]
    public async Task An_account_is_found_as_it_was_added()
    {
        var directory = await OpenAsync();
        var with = NewAccount("Ann.1", "at the beach");
        var without = NewAccount("bob");
        Assert.True(await directory.AddAccountAsync(with, Cancel));
        Assert.True(await directory.AddAccountAsync(without, Cancel));

        Assert.Equal(with, await directory.FindAccountAsync(with.Id, Cancel));
        Assert.Equal(without, await directory.FindAccountAsync(without.Id, Cancel));
        Assert.Equal(with, await directory.FindAccountAsync("aNN.1", Cancel));
        Assert.Null(await directory.FindAccountAsync(UserId.New(), Cancel));
        Assert.Null(await directory.FindAccountAsync("nobody", Cancel));
    }

    [Fact]
    public async Task A_name_is_given_once_in_whatever_case()
    {
        var directory = await OpenAsync();
        var first = NewAccount("carol");
        Assert.True(await directory.AddAccountAsync(first, Cancel));
        Assert.False(await directory.AddAccountAsync(NewAccount("carol"), Cancel));
        var second = NewAccount("CaRoL");
        Assert.False(await directory.AddAccountAsync(second, Cancel));
        Assert.Null(await directory.FindAccountAsync(second.Id, Cancel));
        Assert.Equal(first, await directory.FindAccountAsync("carol", Cancel));
    }

    [Fact]
    public async Task Adding_an_account_again_by_its_id_is_true_again()
    {
        var directory = await OpenAsync();
        var account = NewAccount("dave");
        Assert.True(await directory.AddAccountAsync(account, Cancel));
        Assert.True(await directory.AddAccountAsync(account, Cancel));
    }

    [Fact]
    public async Task Of_many_who_add_one_name_at_once_one_succeeds()
    {
        var directory = await OpenAsync();
        var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(
            _ => Task.Run(() => directory.AddAccountAsync(NewAccount("erin"), Cancel), Cancel)));
        Assert.Single(results, true);
    }

    [Fact]
    public async Task Devices_are_listed_oldest_first_and_found_only_by_their_owner()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "frank");
        var other = await AccountAsync(directory, "grace");
        var newer = NewDevice(user, "newer") with { CreatedAt = Now.AddMilliseconds(1) };
        var older = NewDevice(user, "older");
        Assert.True(await directory.PutDeviceAsync(newer, Token(1, 1), Cancel));
        Assert.True(await directory.PutDeviceAsync(older, Token(2, 2), Cancel));

        Assert.Equal([older, newer], await directory.ListDevicesAsync(user, Cancel));
        Assert.Empty(await directory.ListDevicesAsync(other, Cancel));
        Assert.Equal(older, await directory.FindDeviceAsync(user, older.Id, Cancel));
        Assert.Null(await directory.FindDeviceAsync(other, older.Id, Cancel));
        Assert.Null(await directory.FindDeviceAsync(user, DeviceId.New(), Cancel));
    }

    [Fact]
    public async Task A_device_that_signs_in_anew_keeps_its_beginning_and_loses_its_old_tokens()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "heidi");
        var device = NewDevice(user);
        Assert.True(await directory.PutDeviceAsync(device, Token(1, 1), Cancel));
        var later = device with { Name = "tablet", Platform = "web", CreatedAt = Now.AddDays(1), LastTokenAt = Now.AddDays(1) };
        Assert.True(await directory.PutDeviceAsync(later, Token(2, 2), Cancel));

        var expected = later with { CreatedAt = Now };
        Assert.Equal([expected], await directory.ListDevicesAsync(user, Cancel));
        Assert.Equal(RotationStatus.Unknown, (await directory.RotateRefreshTokenAsync(Token(1, 1), Bytes(3), Now, Grace, Cancel)).Status);
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(Token(2, 2), Bytes(3), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task A_device_of_another_user_is_left_alone()
    {
        var directory = await OpenAsync();
        var owner = await AccountAsync(directory, "ivan");
        var other = await AccountAsync(directory, "judy");
        var device = NewDevice(owner);
        Assert.True(await directory.PutDeviceAsync(device, Token(1, 1), Cancel));
        Assert.False(await directory.PutDeviceAsync(device with { User = other, Name = "mine now" }, Token(2, 2), Cancel));
        Assert.False(await directory.RemoveDeviceAsync(other, device.Id, Cancel));
        Assert.Equal(device, await directory.FindDeviceAsync(owner, device.Id, Cancel));
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(Token(1, 1), Bytes(3), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task A_removed_device_is_gone_with_its_tokens()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "kim");
        var device = NewDevice(user);
        Assert.True(await directory.PutDeviceAsync(device, Token(1, 1), Cancel));
        Assert.True(await directory.RemoveDeviceAsync(user, device.Id, Cancel));
        Assert.False(await directory.RemoveDeviceAsync(user, device.Id, Cancel));
        Assert.Null(await directory.FindDeviceAsync(user, device.Id, Cancel));
        Assert.Equal(new(RotationStatus.Unknown, null), await directory.RotateRefreshTokenAsync(Token(1, 1), Bytes(2), Now, Grace, Cancel));
    }

    [Fact]
    public async Task Refresh_tokens_follow_one_another()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "leo");
        var device = NewDevice(user);
        await directory.PutDeviceAsync(device, Token(1, 10), Cancel);
        for (var i = 1; i <= 5; i++)
        {
            var at = Now.AddHours(i);
            var outcome = await directory.RotateRefreshTokenAsync(Token(1, 9 + i), Bytes(10 + i), at, Grace, Cancel);
            Assert.Equal(new(RotationStatus.Rotated, device with { LastTokenAt = at }), outcome);
        }
        Assert.Equal(Now.AddHours(5), (await directory.FindDeviceAsync(user, device.Id, Cancel))!.LastTokenAt);
        Assert.Equal(RotationStatus.Unknown, (await directory.RotateRefreshTokenAsync(Token(7, 15), Bytes(16), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task An_old_token_used_again_removes_the_device()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "mia");
        var device = NewDevice(user);
        await directory.PutDeviceAsync(device, Token(1, 10), Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(11), Now, Grace, Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 11), Bytes(12), Now, Grace, Cancel);

        // Within the grace, but no longer the last one.
        var outcome = await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(13), Now, Grace, Cancel);
        Assert.Equal(RotationStatus.Reused, outcome.Status);
        Assert.Equal(device.Id, outcome.Device?.Id);
        Assert.Equal(user, outcome.Device?.User);
        Assert.Empty(await directory.ListDevicesAsync(user, Cancel));
        Assert.Equal(RotationStatus.Unknown, (await directory.RotateRefreshTokenAsync(Token(1, 12), Bytes(13), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task The_last_token_may_come_once_more_within_the_grace()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "nick");
        await directory.PutDeviceAsync(NewDevice(user), Token(1, 10), Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(11), Now, Grace, Cancel);

        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(12), Now + Grace, Grace, Cancel)).Status);
        // The directory's caller repeats that very exchange: its connection was lost.
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(12), Now + Grace, Grace, Cancel)).Status);
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(Token(1, 12), Bytes(13), Now + Grace, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task The_last_token_is_reused_after_the_grace()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "olga");
        await directory.PutDeviceAsync(NewDevice(user), Token(1, 10), Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(11), Now, Grace, Cancel);
        var late = Now + Grace + TimeSpan.FromMilliseconds(1);
        Assert.Equal(RotationStatus.Reused, (await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(12), late, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task The_last_token_is_reused_when_it_comes_a_third_time()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "paul");
        await directory.PutDeviceAsync(NewDevice(user), Token(1, 10), Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(11), Now, Grace, Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(12), Now, Grace, Cancel);
        Assert.Equal(RotationStatus.Reused, (await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(13), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task A_successor_that_was_replaced_is_reused_when_it_comes()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "quinn");
        await directory.PutDeviceAsync(NewDevice(user), Token(1, 10), Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(11), Now, Grace, Cancel);
        await directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(12), Now, Grace, Cancel);
        Assert.Equal(RotationStatus.Reused, (await directory.RotateRefreshTokenAsync(Token(1, 11), Bytes(13), Now, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task Of_many_who_use_one_token_at_once_no_two_keep_a_successor()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "rose");
        await directory.PutDeviceAsync(NewDevice(user), Token(1, 10), Cancel);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(
            () => directory.RotateRefreshTokenAsync(Token(1, 10), Bytes(100 + i), Now, Grace, Cancel), Cancel)));
        Assert.Equal(2, outcomes.Count(o => o.Status == RotationStatus.Rotated));
        Assert.Equal(1, outcomes.Count(o => o.Status == RotationStatus.Reused));
        Assert.Equal(5, outcomes.Count(o => o.Status == RotationStatus.Unknown));
    }

    [Fact]
    public async Task Blocks_go_one_way_and_are_idempotent()
    {
        var directory = await OpenAsync();
        var (a, b, c) = (await AccountAsync(directory, "sam"), await AccountAsync(directory, "tina"), await AccountAsync(directory, "uwe"));
        await directory.AddBlockAsync(a, c, Now, Cancel);
        await directory.AddBlockAsync(a, b, Now.AddSeconds(1), Cancel);
        await directory.AddBlockAsync(a, c, Now.AddSeconds(2), Cancel);

        Assert.Equal([c, b], await directory.ListBlocksAsync(a, Cancel));
        Assert.True(await directory.IsBlockedAsync(a, b, Cancel));
        Assert.False(await directory.IsBlockedAsync(b, a, Cancel));

        await directory.RemoveBlockAsync(a, c, Cancel);
        await directory.RemoveBlockAsync(a, c, Cancel);
        Assert.False(await directory.IsBlockedAsync(a, c, Cancel));
        Assert.Equal([b], await directory.ListBlocksAsync(a, Cancel));
    }

    protected static SigningKey Key(string id, DateTimeOffset from, int days = 7) =>
        new(id, Bytes(id.GetHashCode(StringComparison.Ordinal)), from, from.AddDays(days), from.AddDays(days + 1));

    [Fact]
    public async Task A_signing_key_is_added_only_when_none_is_current()
    {
        var directory = await OpenAsync();
        Assert.Empty(await directory.ListSigningKeysAsync(Now, Cancel));
        var first = Key("first", Now);
        AssertKeys([first], await directory.AddSigningKeyIfDueAsync(first, Cancel));
        AssertKeys([first], await directory.AddSigningKeyIfDueAsync(first, Cancel));
        AssertKeys([first], await directory.AddSigningKeyIfDueAsync(Key("late", Now.AddDays(6.9)), Cancel));

        var next = Key("next", Now.AddDays(7));
        AssertKeys([next, first], await directory.AddSigningKeyIfDueAsync(next, Cancel));
        AssertKeys([next, first], await directory.ListSigningKeysAsync(Now.AddDays(7.9), Cancel));
        AssertKeys([next], await directory.ListSigningKeysAsync(Now.AddDays(8), Cancel));
    }

    [Fact]
    public async Task Replicas_that_start_together_agree_on_one_signing_key()
    {
        var directory = await OpenAsync();
        var seen = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => Task.Run(() => directory.AddSigningKeyIfDueAsync(Key($"of {i}", Now), Cancel), Cancel)));
        var chosen = Assert.Single(seen[0]).Id;
        Assert.All(seen, keys => Assert.Equal(chosen, Assert.Single(keys).Id));
    }

    private static void AssertKeys(IEnumerable<SigningKey> expected, IReadOnlyList<SigningKey> actual)
    {
        Assert.Equal(expected.Select(Text), actual.Select(Text));
        static string Text(SigningKey k) => $"{k.Id} {Convert.ToHexString(k.Private)} {k.SignsFrom:O} {k.SignsUntil:O} {k.ExpiresAt:O}";
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_random_sequence_gives_what_a_simple_model_gives(int seed) =>
        await DirectoryModel.CompareAsync(await OpenAsync(), seed, steps: 400, Cancel);
}
