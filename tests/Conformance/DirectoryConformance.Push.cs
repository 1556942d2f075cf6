using System.Security.Cryptography;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class DirectoryConformance
{
    private static readonly ConversationId Chat = new(new("7d9c2b9e-3f3e-5a54-9a35-0c6c4b8a1f10"));
    private static readonly ConversationId OtherChat = new(new("7d9c2b9e-3f3e-5a54-9a35-0c6c4b8a1f11"));

    protected static PushRegistration NewPush(Device device, string token, string provider = "apns")
    {
        ArgumentNullException.ThrowIfNull(device);
        return new() { Device = device.Id, User = device.User, Provider = provider, Token = token, RegisteredAt = Now };
    }

    /// <summary>A device that is there, of a new user.</summary>
    protected static async Task<Device> DeviceAsync(IDirectory directory, string username, int family = 1)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return await DeviceAsync(directory, await AccountAsync(directory, username), family);
    }

    private static async Task<Device> DeviceAsync(IDirectory directory, UserId user, int family, double createdAfterMs = 0)
    {
        var device = NewDevice(user) with { CreatedAt = Now.AddMilliseconds(createdAfterMs) };
        Assert.True(await directory.PutDeviceAsync(device, Token(family, 10 * family), Cancel));
        return device;
    }

    private static async Task<string[]> TokensAsync(IDirectory directory, UserId user) =>
        [.. (await directory.ListPushTargetsAsync(user, Chat, Cancel)).Select(t => t.Registration.Token)];

    private static async Task<(long Pushed, long Cleared)> MarksAsync(IDirectory directory, Device device, ConversationId? chat = null)
    {
        var target = Assert.Single(
            await directory.ListPushTargetsAsync(device.User, chat ?? Chat, Cancel), t => t.Registration.Device == device.Id);
        return (target.PushedSeq, target.ClearedSeq);
    }

    private static Task ReportAsync(
        IDirectory directory, Device device, string token, long pushed = 0, long cleared = 0, DateTimeOffset? deadAt = null) =>
        directory.ReportPushAsync(device.User, Chat, [new(device.Id, token, pushed, cleared, deadAt)], Cancel);

    [Fact]
    [Trait("Requirement", "R31")]
    public async Task Push_registrations_are_listed_as_they_were_put_oldest_device_first()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var newer = await DeviceAsync(directory, user, 1, createdAfterMs: 1);
        var older = await DeviceAsync(directory, user, 2);
        await DeviceAsync(directory, user, 3);
        var bobs = await DeviceAsync(directory, "bob", 4);
        var full = NewPush(newer, "https://push.example/Ünique", "webpush") with
        {
            Topic = "org.example.app",
            IsSandbox = true,
            P256dh = "the key",
            Auth = "the secret",
            HidesContent = true,
            RegisteredAt = Now.AddMilliseconds(7),
        };
        var least = NewPush(older, "00ff");
        Assert.True(await directory.PutPushAsync(full, Cancel));
        Assert.True(await directory.PutPushAsync(least, Cancel));
        Assert.True(await directory.PutPushAsync(NewPush(bobs, "bob's"), Cancel));

        Assert.Equal([new(least, 0, 0), new(full, 0, 0)], await directory.ListPushTargetsAsync(user, Chat, Cancel));
        Assert.Empty(await directory.ListPushTargetsAsync(UserId.New(), Chat, Cancel));
    }

    [Fact]
    public async Task Only_a_device_that_the_user_has_is_registered()
    {
        var directory = await OpenAsync();
        var (ann, bob) = (await DeviceAsync(directory, "ann", 1), await DeviceAsync(directory, "bob", 2));
        Assert.True(await directory.PutPushAsync(NewPush(ann, "a"), Cancel));

        Assert.False(await directory.PutPushAsync(NewPush(NewDevice(ann.User), "a"), Cancel));
        Assert.False(await directory.PutPushAsync(NewPush(ann, "b") with { User = bob.User }, Cancel));
        // What is refused takes no token away.
        Assert.Equal(["a"], await TokensAsync(directory, ann.User));
        Assert.Empty(await TokensAsync(directory, bob.User));
    }

    [Fact]
    public async Task Registering_again_replaces_what_was_said_and_keeps_the_marks()
    {
        var directory = await OpenAsync();
        var device = await DeviceAsync(directory, "ann");
        await directory.PutPushAsync(NewPush(device, "a") with { Topic = "old", IsSandbox = true }, Cancel);
        await ReportAsync(directory, device, "a", pushed: 7, cleared: 5);

        var again = NewPush(device, "a") with { HidesContent = true, RegisteredAt = Now.AddSeconds(2) };
        Assert.True(await directory.PutPushAsync(again, Cancel));
        Assert.Equal([new(again, 7, 5)], await directory.ListPushTargetsAsync(device.User, Chat, Cancel));

        // Another replica's clock is behind: the time does not fall.
        Assert.True(await directory.PutPushAsync(again with { Token = "b", RegisteredAt = Now }, Cancel));
        Assert.Equal([new(again with { Token = "b" }, 7, 5)], await directory.ListPushTargetsAsync(device.User, Chat, Cancel));
    }

    [Fact]
    [Trait("Requirement", "R31")]
    public async Task A_token_belongs_to_the_device_that_registered_it_last()
    {
        var directory = await OpenAsync();
        var (ann, bob) = (await DeviceAsync(directory, "ann", 1), await DeviceAsync(directory, "bob", 2));
        await directory.PutPushAsync(NewPush(ann, "phone"), Cancel);
        await ReportAsync(directory, ann, "phone", pushed: 9);

        // Bob signs in on what was Ann's phone.
        Assert.True(await directory.PutPushAsync(NewPush(bob, "phone"), Cancel));
        Assert.Empty(await TokensAsync(directory, ann.User));
        Assert.Equal((0, 0), await MarksAsync(directory, bob));

        // And she on another: what she was pushed there does not count here.
        Assert.True(await directory.PutPushAsync(NewPush(ann, "other phone"), Cancel));
        Assert.Equal((0, 0), await MarksAsync(directory, ann));

        // A provider's tokens are its own.
        Assert.True(await directory.PutPushAsync(NewPush(ann, "phone", "fcm"), Cancel));
        Assert.Equal(["phone"], await TokensAsync(directory, ann.User));
        Assert.Equal(["phone"], await TokensAsync(directory, bob.User));
    }

    [Fact]
    public async Task Of_many_devices_that_register_one_token_at_once_one_keeps_it()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var devices = new Device[8];
        for (var i = 0; i < devices.Length; i++) devices[i] = await DeviceAsync(directory, user, i);
        for (var round = 0; round < 4; round++)
        {
            var put = await Task.WhenAll(devices.Select(
                d => Task.Run(() => directory.PutPushAsync(NewPush(d, $"token {round}"), Cancel), Cancel)));
            Assert.All(put, Assert.True);
            Assert.Equal([$"token {round}"], await TokensAsync(directory, user));
        }
    }

    [Fact]
    public async Task Devices_that_swap_their_tokens_at_once_all_succeed()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var (a, b) = (await DeviceAsync(directory, user, 1), await DeviceAsync(directory, user, 2));
        await directory.PutPushAsync(NewPush(a, "1"), Cancel);
        await directory.PutPushAsync(NewPush(b, "2"), Cancel);
        for (var round = 0; round < 6; round++)
        {
            var (one, two) = round % 2 == 0 ? ("2", "1") : ("1", "2");
            Assert.All(
                await Task.WhenAll(
                    Task.Run(() => directory.PutPushAsync(NewPush(a, one), Cancel), Cancel),
                    Task.Run(() => directory.PutPushAsync(NewPush(b, two), Cancel), Cancel),
                    Task.Run(() => SeenAsync(), Cancel)),
                Assert.True);
            var left = await TokensAsync(directory, user);
            Assert.Equal(left.Distinct(), left);
        }

        async Task<bool> SeenAsync()
        {
            await directory.ReportPushAsync(user, Chat, [new(b.Id, "", 1, 0, null), new(a.Id, "", 1, 0, null)], Cancel);
            return true;
        }
    }

    [Fact]
    public async Task A_registration_is_removed_by_its_owner_with_its_marks()
    {
        var directory = await OpenAsync();
        var (ann, bob) = (await DeviceAsync(directory, "ann", 1), await DeviceAsync(directory, "bob", 2));
        await directory.PutPushAsync(NewPush(ann, "a"), Cancel);
        await ReportAsync(directory, ann, "a", pushed: 3);

        await directory.RemovePushAsync(bob.User, ann.Id, Cancel);
        Assert.Equal((3, 0), await MarksAsync(directory, ann));
        for (var i = 0; i < 2; i++)
        {
            await directory.RemovePushAsync(ann.User, ann.Id, Cancel);
            Assert.Empty(await TokensAsync(directory, ann.User));
        }

        await directory.PutPushAsync(NewPush(ann, "a"), Cancel);
        Assert.Equal((0, 0), await MarksAsync(directory, ann));
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task A_device_that_is_logged_out_loses_its_registration_and_its_marks()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var (removed, robbed) = (await DeviceAsync(directory, user, 1), await DeviceAsync(directory, user, 2));
        foreach (var device in new[] { removed, robbed })
        {
            await directory.PutPushAsync(NewPush(device, $"of {device.Id}"), Cancel);
            await ReportAsync(directory, device, "", pushed: 3);
        }

        Assert.True(await directory.RemoveDeviceAsync(user, removed.Id, Cancel));
        Assert.Equal([$"of {robbed.Id}"], await TokensAsync(directory, user));
        Assert.Equal(
            RotationStatus.Reused, (await directory.RotateRefreshTokenAsync(Token(2, 99), Bytes(100), Now, Grace, Cancel)).Status);
        Assert.Empty(await TokensAsync(directory, user));

        // The same device signs in again.
        Assert.True(await directory.PutDeviceAsync(removed, Token(1, 10), Cancel));
        Assert.Empty(await TokensAsync(directory, user));
        Assert.True(await directory.PutPushAsync(NewPush(removed, "new"), Cancel));
        Assert.Equal((0, 0), await MarksAsync(directory, removed));
    }

    [Fact]
    public async Task A_device_that_signs_in_anew_stays_registered()
    {
        var directory = await OpenAsync();
        var device = await DeviceAsync(directory, "ann");
        await directory.PutPushAsync(NewPush(device, "a"), Cancel);
        await ReportAsync(directory, device, "a", pushed: 3);
        Assert.True(await directory.PutDeviceAsync(device, Token(2, 20), Cancel));
        Assert.Equal((3, 0), await MarksAsync(directory, device));
    }

    [Fact]
    [Trait("Requirement", "R31")]
    public async Task Marks_rise_each_by_itself_for_a_device_and_a_conversation_and_never_fall()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var (phone, tablet) = (await DeviceAsync(directory, user, 1), await DeviceAsync(directory, user, 2));
        await directory.PutPushAsync(NewPush(phone, "phone"), Cancel);
        await directory.PutPushAsync(NewPush(tablet, "tablet"), Cancel);

        await ReportAsync(directory, phone, "phone", pushed: 5);
        Assert.Equal((5, 0), await MarksAsync(directory, phone));
        await ReportAsync(directory, phone, "phone", cleared: 5);
        Assert.Equal((5, 5), await MarksAsync(directory, phone));
        await ReportAsync(directory, phone, "phone", pushed: 4, cleared: 3);
        await ReportAsync(directory, phone, "phone", pushed: -1, cleared: -1);
        Assert.Equal((5, 5), await MarksAsync(directory, phone));
        // The push reached the device, though it has another token by now.
        await ReportAsync(directory, phone, "an older one", pushed: long.MaxValue);
        Assert.Equal((long.MaxValue, 5), await MarksAsync(directory, phone));

        Assert.Equal((0, 0), await MarksAsync(directory, tablet));
        Assert.Equal((0, 0), await MarksAsync(directory, phone, OtherChat));
        await directory.ReportPushAsync(user, OtherChat, [new(tablet.Id, "tablet", 2, 0, null), new(phone.Id, "phone", 3, 1, null)], Cancel);
        Assert.Equal((2, 0), await MarksAsync(directory, tablet, OtherChat));
        Assert.Equal((3, 1), await MarksAsync(directory, phone, OtherChat));
        Assert.Equal((long.MaxValue, 5), await MarksAsync(directory, phone));
    }

    [Fact]
    [Trait("Requirement", "R32")]
    public async Task A_dead_token_is_removed_unless_it_was_registered_since_then()
    {
        var directory = await OpenAsync();
        var device = await DeviceAsync(directory, "ann");
        var bob = await DeviceAsync(directory, "bob", 2);
        await directory.PutPushAsync(NewPush(device, "a"), Cancel);

        await ReportAsync(directory, device, "a", pushed: 1);
        await ReportAsync(directory, device, "another", deadAt: Now.AddDays(1));
        await ReportAsync(directory, device, "a", deadAt: Now.AddMilliseconds(-1));
        await ReportAsync(directory, bob with { Id = device.Id }, "a", deadAt: Now.AddDays(1));
        Assert.Equal((1, 0), await MarksAsync(directory, device));

        await directory.PutPushAsync(NewPush(device, "a") with { RegisteredAt = Now.AddSeconds(10) }, Cancel);
        await ReportAsync(directory, device, "a", deadAt: Now.AddSeconds(9));
        Assert.Equal(["a"], await TokensAsync(directory, device.User));

        await ReportAsync(directory, device, "a", pushed: 2, deadAt: Now.AddSeconds(10));
        Assert.Empty(await TokensAsync(directory, device.User));
        await directory.PutPushAsync(NewPush(device, "a"), Cancel);
        Assert.Equal((0, 0), await MarksAsync(directory, device));
    }

    [Fact]
    public async Task Reports_of_devices_that_are_not_registered_are_passed_over()
    {
        var directory = await OpenAsync();
        var user = await AccountAsync(directory, "ann");
        var (registered, not) = (await DeviceAsync(directory, user, 1), await DeviceAsync(directory, user, 2));
        var bob = await DeviceAsync(directory, "bob", 3);
        await directory.PutPushAsync(NewPush(registered, "a"), Cancel);
        await directory.PutPushAsync(NewPush(bob, "b"), Cancel);

        await directory.ReportPushAsync(user, Chat, [], Cancel);
        await directory.ReportPushAsync(
            user, Chat,
            [
                new(not.Id, "a", 1, 1, Now), new(DeviceId.New(), "a", 1, 1, Now), new(bob.Id, "b", 1, 1, Now.AddDays(1)),
                new(registered.Id, "a", 4, 0, null),
            ],
            Cancel);
        Assert.Equal((4, 0), await MarksAsync(directory, registered));
        Assert.Equal((0, 0), await MarksAsync(directory, bob));

        // Once it is gone, what else is said of it in the same report is late.
        await directory.ReportPushAsync(
            user, Chat, [new(registered.Id, "a", 0, 0, Now), new(registered.Id, "a", 9, 0, Now)], Cancel);
        Assert.Empty(await TokensAsync(directory, user));
    }

    [Fact]
    public async Task A_token_may_be_long()
    {
        var directory = await OpenAsync();
        var (ann, bob) = (await DeviceAsync(directory, "ann", 1), await DeviceAsync(directory, "bob", 2));
        // Random: no database can make it shorter.
        var token = RandomNumberGenerator.GetHexString(4096);
        Assert.True(await directory.PutPushAsync(NewPush(ann, token), Cancel));
        Assert.True(await directory.PutPushAsync(NewPush(bob, token[..^1] + "x"), Cancel));
        Assert.Equal([token], await TokensAsync(directory, ann.User));
        Assert.True(await directory.PutPushAsync(NewPush(bob, token), Cancel));
        Assert.Empty(await TokensAsync(directory, ann.User));
    }
}
