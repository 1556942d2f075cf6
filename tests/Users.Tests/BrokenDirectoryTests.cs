using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using Xunit;
using Xunit.Sdk;

namespace WhatsAspire.Users.Tests;

/// <summary>The random walk must find a directory that does one thing wrong.</summary>
public sealed class BrokenDirectoryTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public Task The_walk_passes_a_directory_that_is_not_broken() =>
        DirectoryModel.CompareAsync(new DirectoryModel(), seed: 1, steps: 400, Cancel);

    [Theory]
    [InlineData(Fault.ForgetsABlock)]
    [InlineData(Fault.LetsAUsedTokenThrough)]
    [InlineData(Fault.GivesANameTwice)]
    [InlineData(Fault.KeepsARemovedDevice)]
    [InlineData(Fault.GivesAwayDevices)]
    [InlineData(Fault.AddsKeysThatAreNotDue)]
    [InlineData(Fault.LeavesATokenToItsOldOwner)]
    [InlineData(Fault.LowersAMark)]
    [InlineData(Fault.InheritsMarks)]
    [InlineData(Fault.RemovesATokenThatWasRegisteredAgain)]
    [InlineData(Fault.KeepsADeadToken)]
    [InlineData(Fault.RegistersForAnyone)]
    public async Task The_walk_finds_a_broken_directory(Fault fault)
    {
        var e = await Assert.ThrowsAsync<TrueException>(() => DirectoryModel.CompareAsync(new BrokenDirectory(fault), seed: 1, steps: 400, Cancel));
        Assert.Contains("seed 1, step", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task The_walk_of_groups_passes_a_directory_that_is_not_broken() =>
        DirectoryModel.CompareGroupsAsync(new DirectoryModel(), seed: 1, steps: 400, Cancel);

    [Theory]
    [InlineData(Fault.AddsBeyondTheMaximum)]
    [InlineData(Fault.JoinsLate)]
    [InlineData(Fault.ForgetsWhoLeft)]
    [InlineData(Fault.TurnsChangesAround)]
    [InlineData(Fault.TellsLeaversTheNewName)]
    [InlineData(Fault.ForgetsAllChanges)]
    [InlineData(Fault.KeepsARevokedInvite)]
    public async Task The_walk_of_groups_finds_a_broken_directory(Fault fault)
    {
        var e = await Assert.ThrowsAsync<TrueException>(
            () => DirectoryModel.CompareGroupsAsync(new BrokenDirectory(fault), seed: 1, steps: 400, Cancel));
        Assert.Contains("seed 1, step", e.Message, StringComparison.Ordinal);
    }

    public enum Fault
    {
        ForgetsABlock,
        LetsAUsedTokenThrough,
        GivesANameTwice,
        KeepsARemovedDevice,
        GivesAwayDevices,
        AddsKeysThatAreNotDue,
        LeavesATokenToItsOldOwner,
        LowersAMark,
        InheritsMarks,
        RemovesATokenThatWasRegisteredAgain,
        KeepsADeadToken,
        RegistersForAnyone,
        AddsBeyondTheMaximum,
        JoinsLate,
        ForgetsWhoLeft,
        TurnsChangesAround,
        TellsLeaversTheNewName,
        ForgetsAllChanges,
        KeepsARevokedInvite,
    }

    private sealed class BrokenDirectory(Fault fault) : IDirectory
    {
        private readonly DirectoryModel _right = new();
        private readonly Dictionary<(DeviceId, ConversationId), PushReport> _reported = [];
        private int _blocks;
        private int _removals;

        public Task<bool> AddAccountAsync(Account account, CancellationToken cancellationToken) =>
            fault == Fault.GivesANameTwice
                ? AddTwiceAsync(account, cancellationToken) : _right.AddAccountAsync(account, cancellationToken);

        private async Task<bool> AddTwiceAsync(Account account, CancellationToken cancellationToken) =>
            await _right.AddAccountAsync(account, cancellationToken)
            // Compares with regard to case.
            || (await _right.FindAccountAsync(account.Username, cancellationToken))!.Username != account.Username;

        public Task<Account?> FindAccountAsync(UserId user, CancellationToken cancellationToken) => _right.FindAccountAsync(user, cancellationToken);
        public Task<Account?> FindAccountAsync(string username, CancellationToken cancellationToken) => _right.FindAccountAsync(username, cancellationToken);

        public async Task<bool> PutDeviceAsync(Device device, RefreshTokenHash refreshToken, CancellationToken cancellationToken) =>
            await _right.PutDeviceAsync(device, refreshToken, cancellationToken) || fault == Fault.GivesAwayDevices;

        public Task<IReadOnlyList<Device>> ListDevicesAsync(UserId user, CancellationToken cancellationToken) => _right.ListDevicesAsync(user, cancellationToken);
        public Task<Device?> FindDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) => _right.FindDeviceAsync(user, device, cancellationToken);

        public async Task<bool> RemoveDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
            fault == Fault.KeepsARemovedDevice
                ? await _right.FindDeviceAsync(user, device, cancellationToken) is not null
                : await _right.RemoveDeviceAsync(user, device, cancellationToken);

        public async Task<RotationOutcome> RotateRefreshTokenAsync(
            RefreshTokenHash presented, byte[] nextHash, DateTimeOffset now, TimeSpan grace, CancellationToken cancellationToken)
        {
            var outcome = await _right.RotateRefreshTokenAsync(presented, nextHash, now, grace, cancellationToken);
            return fault == Fault.LetsAUsedTokenThrough && outcome.Status == RotationStatus.Reused
                ? outcome with { Status = RotationStatus.Rotated } : outcome;
        }

        public Task AddBlockAsync(UserId blocker, UserId blocked, DateTimeOffset now, CancellationToken cancellationToken) =>
            fault == Fault.ForgetsABlock && ++_blocks == 20
                ? Task.CompletedTask : _right.AddBlockAsync(blocker, blocked, now, cancellationToken);

        public Task RemoveBlockAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken) => _right.RemoveBlockAsync(blocker, blocked, cancellationToken);
        public Task<IReadOnlyList<UserId>> ListBlocksAsync(UserId blocker, CancellationToken cancellationToken) => _right.ListBlocksAsync(blocker, cancellationToken);
        public Task<bool> IsBlockedAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken) => _right.IsBlockedAsync(blocker, blocked, cancellationToken);

        public async Task<IReadOnlyList<SigningKey>> AddSigningKeyIfDueAsync(SigningKey key, CancellationToken cancellationToken)
        {
            var keys = await _right.AddSigningKeyIfDueAsync(key, cancellationToken);
            return fault == Fault.AddsKeysThatAreNotDue && keys.All(k => k.Id != key.Id) ? [key, .. keys] : keys;
        }

        public Task<IReadOnlyList<SigningKey>> ListSigningKeysAsync(DateTimeOffset now, CancellationToken cancellationToken) => _right.ListSigningKeysAsync(now, cancellationToken);

        public async Task<bool> PutPushAsync(PushRegistration registration, CancellationToken cancellationToken) =>
            await _right.PutPushAsync(registration with { Token = Held(registration.Device, registration.Token) }, cancellationToken)
            || fault == Fault.RegistersForAnyone;

        public Task RemovePushAsync(UserId user, DeviceId device, CancellationToken cancellationToken) => _right.RemovePushAsync(user, device, cancellationToken);

        public async Task<IReadOnlyList<PushTarget>> ListPushTargetsAsync(UserId user, ConversationId conversation, CancellationToken cancellationToken) =>
            [.. (await _right.ListPushTargetsAsync(user, conversation, cancellationToken)).Select(target => Shown(target, conversation))];

        public Task ReportPushAsync(UserId user, ConversationId conversation, IReadOnlyList<PushReport> reports, CancellationToken cancellationToken)
        {
            foreach (var report in reports) _reported[(report.Device, conversation)] = report;
            return _right.ReportPushAsync(user, conversation, [.. reports.Select(report => report with
            {
                Token = Held(report.Device, report.Token),
                DeadAt = (fault, report.DeadAt) switch
                {
                    (Fault.RemovesATokenThatWasRegisteredAgain, not null) => DateTimeOffset.MaxValue,
                    (Fault.KeepsADeadToken, _) => null,
                    _ => report.DeadAt,
                },
            })], cancellationToken);
        }

        public Task<GroupOutcome> CreateGroupAsync(NewGroup group, CancellationToken cancellationToken) => _right.CreateGroupAsync(group, cancellationToken);

        public Task<GroupOutcome> ChangeGroupAsync(GroupCommand command, CancellationToken cancellationToken) => (fault, command) switch
        {
            (Fault.AddsBeyondTheMaximum, PutGroupMembers put) => _right.ChangeGroupAsync(put with { MaxMembers = 100 }, cancellationToken),
            (Fault.JoinsLate, JoinGroup join) => _right.ChangeGroupAsync(join with { At = DateTimeOffset.MinValue }, cancellationToken),
            (Fault.ForgetsWhoLeft, RemoveGroupMember remove) when ++_removals == 5 => _right.ChangeGroupAsync(remove with { User = UserId.New() }, cancellationToken),
            _ => _right.ChangeGroupAsync(command, cancellationToken),
        };

        public Task<Group?> FindGroupAsync(ConversationId group, CancellationToken cancellationToken) => _right.FindGroupAsync(group, cancellationToken);
        public Task<IReadOnlyList<Group>> FindGroupsAsync(IReadOnlyList<ConversationId> groups, UserId user, CancellationToken cancellationToken) =>
            _right.FindGroupsAsync(groups, fault == Fault.TellsLeaversTheNewName ? default : user, cancellationToken);
        public Task<GroupWithMembers?> ReadGroupAsync(ConversationId group, CancellationToken cancellationToken) => _right.ReadGroupAsync(group, cancellationToken);
        public Task<IReadOnlyList<GroupMember>> ListGroupMembersAsync(ConversationId group, UserId? after, int limit, CancellationToken cancellationToken) => _right.ListGroupMembersAsync(group, after, limit, cancellationToken);

        public async Task<IReadOnlyList<PendingGroupChange>> ListPendingChangesAsync(ConversationId group, CancellationToken cancellationToken)
        {
            var pending = await _right.ListPendingChangesAsync(group, cancellationToken);
            return fault == Fault.TurnsChangesAround ? [.. pending.Reverse()] : pending;
        }

        public Task<IReadOnlyList<ConversationId>> ListGroupsWithPendingChangesAsync(DateTimeOffset madeBefore, int limit, CancellationToken cancellationToken) => _right.ListGroupsWithPendingChangesAsync(madeBefore, limit, cancellationToken);

        public Task RemovePendingChangesAsync(ConversationId group, long upToVersion, CancellationToken cancellationToken) =>
            _right.RemovePendingChangesAsync(group, fault == Fault.ForgetsAllChanges ? long.MaxValue : upToVersion, cancellationToken);

        public Task<GroupStatus> AddInviteAsync(GroupInvite invite, byte[] codeHash, int limit, CancellationToken cancellationToken) => _right.AddInviteAsync(invite, codeHash, limit, cancellationToken);
        public Task<IReadOnlyList<GroupInvite>> ListInvitesAsync(ConversationId group, DateTimeOffset now, CancellationToken cancellationToken) => _right.ListInvitesAsync(group, now, cancellationToken);

        public Task<GroupStatus> RevokeInviteAsync(ConversationId group, Guid invite, UserId actor, DateTimeOffset now, CancellationToken cancellationToken) =>
            fault == Fault.KeepsARevokedInvite
                ? Task.FromResult(GroupStatus.Changed) : _right.RevokeInviteAsync(group, invite, actor, now, cancellationToken);

        public Task<GroupInvite?> FindInviteAsync(byte[] codeHash, CancellationToken cancellationToken) => _right.FindInviteAsync(codeHash, cancellationToken);

        // A token that is each device's own belongs to nobody else.
        private string Held(DeviceId device, string token) => fault == Fault.LeavesATokenToItsOldOwner ? $"{token}@{device}" : token;

        private PushTarget Shown(PushTarget target, ConversationId conversation)
        {
            target = target with { Registration = target.Registration with { Token = target.Registration.Token.Split('@')[0] } };
            if (!_reported.TryGetValue((target.Registration.Device, conversation), out var last)) return target;
            return (fault, target.PushedSeq) switch
            {
                (Fault.LowersAMark, > 0) => target with { PushedSeq = Math.Max(0, last.PushedSeq) },
                // Of the device's registration before this one.
                (Fault.InheritsMarks, 0) => target with { PushedSeq = Math.Max(0, last.PushedSeq) },
                _ => target,
            };
        }
    }
}
