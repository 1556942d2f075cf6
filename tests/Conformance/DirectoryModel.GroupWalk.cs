using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;
using Xunit;

namespace WhatsAspire.Conformance;

public sealed partial class DirectoryModel
{
    /// <summary>Asserts that every answer of <paramref name="real"/> about groups is the model's.</summary>
    public static async Task CompareGroupsAsync(IDirectory real, int seed, int steps, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var model = new DirectoryModel();
        var now = new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
        UserId[] users = [.. Enumerable.Range(0, 7).Select(_ => new UserId(NewGuid(random)))];
        foreach (var directory in new[] { model, real })
        {
            // The last one has no account.
            for (var i = 0; i < users.Length - 1; i++)
                await directory.AddAccountAsync(new(users[i], $"user{i}", "name", null, "hash", now), cancellationToken);
            await directory.AddBlockAsync(users[5], users[0], now, cancellationToken);
        }

        List<ConversationId> groups = [];
        for (var i = 0; i < steps; i++)
        {
            now = now.AddMilliseconds(random.Next(5_000));
            var (step, run) = GroupStep(random, now, users, groups, cancellationToken);
            var expected = await run(model);
            var actual = await run(real);
            Assert.True(expected == actual, $"seed {seed}, step {i}, {step}: expected\n{expected}, got\n{actual}");
        }
    }

    private static (string Step, Func<IDirectory, Task<string>> Run) GroupStep(
        Random random, DateTimeOffset now, UserId[] users, List<ConversationId> groups, CancellationToken cancel)
    {
        UserId User() => users[random.Next(random.Next(4) == 0 ? users.Length : users.Length - 2)];
        UserId[] Users() => [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => User()).Distinct()];
        string? Text(string[] texts) => random.Next(2) == 0 ? null : texts[random.Next(texts.Length)];
        var (actor, change) = (User(), NewGuid(random));
        var hash = SHA(random.Next(4));
        if (groups.Count == 0 || random.Next(12) == 0)
        {
            var made = new NewGroup
            {
                Id = groups.Count > 0 && random.Next(4) == 0 ? groups[^1] : new(NewGuid(random)),
                Name = $"group {random.Next(2)}",
                Description = Text(["d"]),
                CreatedBy = actor,
                Members = [.. Users().Where(u => u != actor)],
                ClientGroupId = random.Next(2) == 0 ? null : $"{random.Next(3)}",
                ChangeId = change,
                CreatedAt = now,
                MaxMembers = random.Next(4) == 0 ? 2 : 5,
            };
            groups.Add(made.Id);
            return ($"create {made}", async d => $"{Show(await d.CreateGroupAsync(made, cancel))} {await StateAsync(d, made.Id, users, cancel)}");
        }

        var group = groups[Math.Max(0, groups.Count - 1 - random.Next(3))];
        switch (random.Next(14))
        {
            case 0:
                var invite = new GroupInvite(
                    NewGuid(random), group, actor, now, random.Next(2) == 0 ? null : now.AddSeconds(random.Next(1, 30)),
                    random.Next(2) == 0 ? null : random.Next(1, 3), 0, null);
                // Codes are unique: only while no other invite has this one.
                return ($"invite {invite}", async d =>
                    $"{(await d.FindInviteAsync(hash, cancel) is null ? await d.AddInviteAsync(invite, hash, 2, cancel) : null)} {await InvitesAsync(d, group, now, cancel)}");
            case 1:
                return ("revoke", async d =>
                {
                    var id = await d.ListInvitesAsync(group, now, cancel) is [var first, ..] ? first.Id : change;
                    return $"{await d.RevokeInviteAsync(group, id, actor, now, cancel)} {await InvitesAsync(d, group, now, cancel)} {await d.FindInviteAsync(hash, cancel)}";
                }
                );
            case 2:
                return ("log", async d =>
                {
                    var version = await d.ListPendingChangesAsync(group, cancel) is [var first, ..] ? first.Version : 0;
                    await d.RemovePendingChangesAsync(group, version, cancel);
                    var due = await d.ListGroupsWithPendingChangesAsync(now.AddSeconds(-5), 3, cancel);
                    return $"{string.Join(' ', due)} {await StateAsync(d, group, users, cancel)}";
                }
                );
        }

        GroupCommand command = random.Next(10) switch
        {
            0 => new DeleteGroup { Group = group, Actor = actor, ChangeId = change, At = now },
            1 or 2 => new EditGroup
            {
                Group = group,
                Actor = actor,
                ChangeId = change,
                At = now,
                Name = Text(["group 0", "Ünique"]),
                Description = Text(["", "d", "e"]),
                Picture = Text(["", "https://p.example/1"]),
                OnlyAdminsSend = random.Next(3) switch { 0 => true, 1 => false, _ => null },
            },
            3 or 4 => new RemoveGroupMember { Group = group, Actor = actor, ChangeId = change, At = now, User = random.Next(2) == 0 ? actor : User() },
            5 or 6 => new JoinGroup { Group = group, Actor = actor, ChangeId = change, At = now, CodeHash = hash, MaxMembers = 4 },
            _ => new PutGroupMembers
            {
                Group = group,
                Actor = actor,
                ChangeId = change,
                At = now,
                Users = Users(),
                Role = random.Next(3) switch { 0 => GroupRole.Admin, 1 => GroupRole.Member, _ => null },
                MaxMembers = 3,
            },
        };
        // Sometimes repeated, as after a lost answer.
        var repeat = random.Next(4) == 0;
        return ($"{command}", async d =>
        {
            var outcome = Show(await d.ChangeGroupAsync(command, cancel));
            if (repeat) outcome += Show(await d.ChangeGroupAsync(command, cancel));
            return $"{outcome} {await StateAsync(d, group, users, cancel)} {await InvitesAsync(d, group, now, cancel)}";
        }
        );
    }

    private static byte[] SHA(int code) => System.Security.Cryptography.SHA256.HashData([(byte)code]);

    private static string Show(GroupOutcome outcome) =>
        $"{outcome.Status} {(outcome.Group is null ? null : outcome.Group with { HasPendingChanges = false })} {string.Join(' ', outcome.Users ?? [])}";

    private static async Task<string> InvitesAsync(IDirectory directory, ConversationId group, DateTimeOffset now, CancellationToken cancel) =>
        string.Join(' ', await directory.ListInvitesAsync(group, now, cancel));

    private static async Task<string> StateAsync(IDirectory directory, ConversationId group, UserId[] users, CancellationToken cancel)
    {
        var whole = await directory.ReadGroupAsync(group, cancel);
        Assert.Equal(whole?.Group, await directory.FindGroupAsync(group, cancel));
        var seen = new List<string?>();
        foreach (var user in users)
        {
            var found = await directory.FindGroupsAsync([group], user, cancel);
            seen.Add(found is [var one] ? one.Name : null);
            Assert.Equal(whole is null ? [] : [whole.Group], found.Select(one => one with { Name = whole!.Group.Name }));
            if (whole?.Members.Any(member => member.User == user) is true) Assert.Equal(whole.Group.Name, seen[^1]);
        }

        Assert.Equal(whole?.Members ?? [], await directory.ListGroupMembersAsync(group, null, 100, cancel));
        if (whole is not null) Assert.Equal(whole.Group.MemberCount, whole.Members.Count);
        var pending = await directory.ListPendingChangesAsync(group, cancel);
        Assert.Equal(pending.Count > 0, whole?.Group.HasPendingChanges ?? false);
        // The ids of changes that follow from another are the directory's own.
        return $"{whole?.Group} {string.Join(' ', seen)} {string.Join(' ', whole?.Members ?? [])} {string.Join(' ', pending.Select(c => $"{c.Version} {c.Actor} {c.At:O} {c.Json} +{string.Join(',', c.Joined)} -{string.Join(',', c.Left)}"))}";
    }
}
