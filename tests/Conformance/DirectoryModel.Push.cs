using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;

namespace WhatsAspire.Conformance;

public sealed partial class DirectoryModel
{
    // Few, so that they meet.
    private static readonly string[] Tokens = ["a", "b", "c", "d"];
    private static readonly ConversationId[] Chats = [new(new Guid(1, 0, 0, new byte[8])), new(new Guid(2, 0, 0, new byte[8]))];

    private static (string Step, Func<IDirectory, Task<string>> Run) PushStep(
        Random random, DateTimeOffset now, List<UserId> users, List<Device> devices, List<PushRegistration> pushes, CancellationToken cancel)
    {
        // The newest ones: most of the others are logged out.
        T Recent<T>(List<T> all) => all[^(1 + random.Next(Math.Min(6, all.Count)))];
        var device = Recent(devices);
        var user = random.Next(8) == 0 ? users[random.Next(users.Count)] : device.User;
        var chat = Chats[random.Next(Chats.Length)];
        var choice = random.Next(10);
        if (choice < 5)
        {
            var registration = new PushRegistration
            {
                Device = device.Id,
                User = user,
                Provider = random.Next(4) == 0 ? "fcm" : "apns",
                Token = Tokens[random.Next(Tokens.Length)],
                Topic = random.Next(2) == 0 ? null : "app",
                IsSandbox = random.Next(2) == 0,
                P256dh = random.Next(2) == 0 ? null : "key",
                Auth = random.Next(2) == 0 ? null : "secret",
                HidesContent = random.Next(2) == 0,
                RegisteredAt = now.AddSeconds(random.Next(-30, 1)),
            };
            pushes.Add(registration);
            return ($"register {Text(new(registration, 0, 0))}", async d => $"{await d.PutPushAsync(registration, cancel)} {await TargetsAsync(d, users, chat, cancel)}");
        }

        if (choice == 5)
            return ($"unregister {device.Id}", async d =>
            {
                await d.RemovePushAsync(user, device.Id, cancel);
                return await TargetsAsync(d, users, chat, cancel);
            }
            );

        // Mostly of what was registered lately, so that tokens and times meet.
        if (pushes.Count > 0 && random.Next(4) > 0) user = Recent(pushes).User;
        var theirs = pushes.FindLast(push => push.User == user);
        var reports = new PushReport[random.Next(1, 4)];
        for (var i = 0; i < reports.Length; i++)
            reports[i] = new(
                theirs is not null && random.Next(4) > 0 ? theirs.Device : Recent(devices).Id,
                theirs is not null && random.Next(4) > 0 ? theirs.Token : Tokens[random.Next(Tokens.Length)],
                random.Next(-1, 20), random.Next(-1, 20), random.Next(3) == 0 ? now.AddSeconds(random.Next(-60, 1)) : null);

        return ($"report {chat} {string.Join(", ", reports.Select(r => $"{r} of {r.Token}"))}", async d =>
        {
            await d.ReportPushAsync(user, chat, reports, cancel);
            return await TargetsAsync(d, users, chat, cancel);
        }
        );
    }

    private static async Task<string> TargetsAsync(IDirectory directory, List<UserId> users, ConversationId chat, CancellationToken cancel)
    {
        List<string> lines = [];
        foreach (var user in users) lines.AddRange((await directory.ListPushTargetsAsync(user, chat, cancel)).Select(Text));
        return string.Join(", ", lines);
    }

    private static string Text(PushTarget target)
    {
        var r = target.Registration;
        return $"[{r.User} {r.Device} {r.Provider} {r.Token} {r.Topic} {r.IsSandbox} {r.P256dh} {r.Auth} {r.HidesContent} {r.RegisteredAt:O} {target.PushedSeq} {target.ClearedSeq}]";
    }

    public Task<bool> PutPushAsync(PushRegistration registration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(registration);
        if (Find(registration.User, registration.Device) is not { } entry) return Task.FromResult(false);
        foreach (var other in _devices)
            if (other != entry && other.Push?.Provider == registration.Provider && other.Push.Token == registration.Token) Forget(other);
        var at = entry.Push is { } known && known.RegisteredAt > registration.RegisteredAt ? known.RegisteredAt : registration.RegisteredAt;
        entry.Push = registration with { RegisteredAt = at };
        return Task.FromResult(true);
    }

    public Task RemovePushAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        if (Find(user, device) is { } entry) Forget(entry);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<PushTarget>> ListPushTargetsAsync(
        UserId user, ConversationId conversation, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PushTarget>>(
            [.. _devices.Where(e => e.Device.User == user && e.Push is not null)
                .OrderBy(e => e.Device.CreatedAt).ThenBy(e => e.Device.Id.ToString(), StringComparer.Ordinal)
                .Select(e => new PushTarget(
                    e.Push!, e.Marks.GetValueOrDefault(conversation).Pushed, e.Marks.GetValueOrDefault(conversation).Cleared))]);

    public Task ReportPushAsync(
        UserId user, ConversationId conversation, IReadOnlyList<PushReport> reports, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reports);
        foreach (var report in reports)
        {
            if (Find(user, report.Device) is not { Push: { } push } entry) continue;
            var (pushed, cleared) = entry.Marks.GetValueOrDefault(conversation);
            entry.Marks[conversation] = (Math.Max(pushed, report.PushedSeq), Math.Max(cleared, report.ClearedSeq));
            if (report.DeadAt is { } dead && push.Token == report.Token && push.RegisteredAt <= dead) Forget(entry);
        }

        return Task.CompletedTask;
    }

    private Entry? Find(UserId user, DeviceId device) => _devices.Find(e => e.Device.Id == device && e.Device.User == user);

    private static void Forget(Entry entry)
    {
        entry.Push = null;
        entry.Marks = [];
    }
}
