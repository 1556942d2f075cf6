using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>What a group's own entries say.</summary>
public sealed class GroupTests
{
    private static readonly ConversationId Group = new(new Guid("5f0c7d1e-3b52-4d0e-9a51-0d2f7f4f6a10"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task A_groups_entries_keep_its_summary_and_are_given_to_the_app_in_order()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var changed = System.Threading.Channels.Channel.CreateUnbounded<ConversationFrame>();
        test.Client.ConversationChanged += c => changed.Writer.TryWrite(c);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync(
            $$"""
            {"type":"conversation","conversation_id":"{{Group}}","kind":"group","name":"friends","member_count":3,"head_seq":0,"read_seq":0,"delivered_seq":0,
            "unread_count":0,"last_message_at":"2026-11-24T10:15:30.123Z","others":{"delivered_seq":0,"read_seq":0},"archived":false,"pinned":false}
            """);
        await connection.SendAsync(Change(1, $$"""{"type":"created","name":"friends","user_ids":["{{Bob}}","{{Me}}","{{UserId.New()}}"]}"""));
        await connection.SendAsync(Change(2, """{"type":"changed","name":"club"}"""));
        await connection.SendAsync(Change(3, $$"""{"type":"added","user_ids":["{{UserId.New()}}","{{UserId.New()}}"]}"""));
        await connection.SendAsync(Change(4, $$"""{"type":"removed","user_ids":["{{Me}}"]}"""));

        var last = await changed.Reader.ReadAsync(Cancel).AsTask().In("the conversation");
        while (last.HeadSeq < 4) last = await changed.Reader.ReadAsync(Cancel).AsTask().In("the conversation's last change");
        Assert.Equal(("group", "club", 4, true, 0L), (last.Kind, last.Name, last.MemberCount, last.Left, last.UnreadCount));
        string?[] types = [.. await NextTypesAsync(test, 4)];
        Assert.Equal(["created", "changed", "added", "removed"], types);
    }

    private static async Task<List<string?>> NextTypesAsync(TestClient test, int count)
    {
        var types = new List<string?>();
        while (types.Count < count) types.Add((await test.NextMessageAsync()).Change?.Type);
        return types;
    }

    private static string Change(long seq, string change) =>
        $$"""
        {"type":"message","conversation_id":"{{Group}}","message_id":"aaaaaaaa-0000-1000-8000-{{seq:d12}}","seq":{{seq}},"sender_id":"{{Bob}}",
        "client_message_id":"group:{{seq}}","kind":"system","change":{{change}},"created_at":"2026-11-24T10:15:30.123Z"}
        """;
}
