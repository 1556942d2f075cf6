using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>What survives the process. A crash is played by a copy of the file as it was at that moment.</summary>
public sealed class StateFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("whatsaspire-client-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string State => Path.Combine(_folder, "state");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("Requirement", "R60")]
    public async Task A_new_process_sends_what_the_crashed_one_had_not_under_the_same_ids_in_order()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var crashed = new TestClient(Fast with { StatePath = State }, server);
        crashed.Client.Start();
        var connection = await server.WelcomeAsync();
        var first = await crashed.Client.SendAsync(Bob, "first", clientMessageId: "1", cancellationToken: Cancel);
        await crashed.Client.SendAsync(Bob, "second", clientMessageId: "2", cancellationToken: Cancel);
        await crashed.Client.SendAsync(Bob, "third", clientMessageId: "3", cancellationToken: Cancel);
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 1));
        await first.Sent.In("sent");
        await connection.ReceiveNextAsync("send");
        var copy = Crash();

        await using var test = new TestClient(Fast with { StatePath = copy }, server);
        var left = test.Client.Outbox;
        Assert.Equal(["2", "3"], left.Select(m => m.ClientMessageId).Where(id => id != "1"));
        test.Client.Start();
        var again = await server.WelcomeAsync();
        foreach (var message in left)
        {
            var send = await again.ReceiveNextAsync("send");
            Assert.Equal(message.ClientMessageId, (string?)send["client_message_id"]);
            Assert.Equal(message.Text, (string?)send["text"]);
            await again.SendAsync(Sent(send, int.Parse(message.ClientMessageId, System.Globalization.CultureInfo.InvariantCulture), duplicate: true));
            await message.Sent.In("sent");
        }

        await test.Client.DisposeAsync();
        await using var later = new TestClient(Fast with { StatePath = copy }, server);
        Assert.Empty(later.Client.Outbox);
    }

    [Fact]
    public async Task A_line_that_the_crash_cut_short_is_dropped()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using (var test = new TestClient(Fast with { StatePath = State }, server))
        {
            await test.Client.SendAsync(Bob, "whole", clientMessageId: "whole", cancellationToken: Cancel);
            await test.Client.SendAsync(Bob, "cut", clientMessageId: "cut", cancellationToken: Cancel);
        }

        using (var file = File.OpenWrite(State)) file.SetLength(file.Length - 5);
        await using (var test = new TestClient(Fast with { StatePath = State }, server))
        {
            Assert.Equal(["whole"], test.Client.Outbox.Select(m => m.ClientMessageId));
            await test.Client.SendAsync(Bob, "next", clientMessageId: "next", cancellationToken: Cancel);
        }

        await using var last = new TestClient(Fast with { StatePath = State }, server);
        Assert.Equal(["whole", "next"], last.Client.Outbox.Select(m => m.ClientMessageId));
    }

    [Fact]
    public async Task A_new_process_goes_on_after_the_last_message_that_the_app_was_done_with()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using (var test = new TestClient(Fast with { StatePath = State }, server))
        {
            test.Client.Start();
            var connection = await server.WelcomeAsync("c1", Summary(head: 3));
            await connection.SendAsync(Page(await connection.ReceiveNextAsync("pull"), 1, 3));
            await test.NextSeqsAsync(3);
        }

        await using var next = new TestClient(Fast with { StatePath = State }, server);
        next.Client.Start();
        var again = await server.NextConnectionAsync();
        Assert.Equal("c1", (string?)(await again.WelcomeAsync())["cursor"]);
        await again.SendAsync(Summary(head: 5, delivered: 3));
        await again.SendAsync("""{"type":"synced","cursor":"c2"}""");
        var pull = await again.ReceiveNextAsync("pull");
        Assert.Equal(3, (long?)pull["ranges"]![0]!["after"]);
        await again.SendAsync(Page(pull, 4, 5));
        Assert.Equal([4, 5], await next.NextSeqsAsync(2));
    }

    [Fact]
    public async Task A_crash_before_the_app_had_all_of_a_sync_does_not_forget_the_rest()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var crashed = new TestClient(Fast with { StatePath = State }, server);
        crashed.Client.Start();
        var connection = await server.WelcomeAsync("c1", Summary(head: 3));
        await connection.SendAsync(Page(await connection.ReceiveNextAsync("pull"), 1, 3));
        await crashed.NextSeqsAsync(2);
        await connection.ReceiveNextAsync("ack");
        var copy = Crash();

        await using var test = new TestClient(Fast with { StatePath = copy }, server);
        test.Client.Start();
        var again = await server.NextConnectionAsync();
        Assert.Null((await again.WelcomeAsync())["cursor"]);
        await again.SendAsync(Summary(head: 3, delivered: 3));
        await again.SendAsync("""{"type":"synced","cursor":"c2"}""");
        var pull = await again.ReceiveNextAsync("pull");
        var after = (long)pull["ranges"]![0]!["after"]!;
        Assert.InRange(after, 0, 1);
        await again.SendAsync(Page(pull, after + 1, 3));
        Assert.Equal(after + 1, (await test.NextMessageAsync()).Seq);
    }

    [Fact]
    public async Task A_file_is_one_clients_and_one_users()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using (new TestClient(Fast with { StatePath = State }, server))
            Assert.Throws<IOException>(() => new TestClient(Fast with { StatePath = State }, server));
        Assert.Throws<InvalidDataException>(() => StateFile.Open(State, Bob));
        var foreign = Path.Combine(_folder, "foreign");
        await File.WriteAllTextAsync(foreign, "shopping list\n", Cancel);
        Assert.Throws<InvalidDataException>(() => StateFile.Open(foreign, Me));
        Assert.Equal("shopping list\n", await File.ReadAllTextAsync(foreign, Cancel));
    }

    [Fact]
    public async Task The_file_does_not_grow_with_what_is_done()
    {
        OutboxEntry Entry(int i) => new($"id{i}", Bob, null, new('x', 500), null);
        await using (var file = StateFile.Open(State, Me))
        {
            await file.StoreAsync(Entry(0));
            for (var i = 1; i < 3_000; i++)
            {
                var stored = file.StoreAsync(Entry(i));
                if (i % 100 == 0) await stored;
                file.Write(new() { Done = $"id{i}" });
            }

            await file.StoreAsync(Entry(3_000));
            file.Write(new() { Position = new(Chat, 7) });
            file.Write(new() { Cursor = "c" });
        }

        Assert.InRange(new FileInfo(State).Length, 1, 600 * 1024);
        await using var again = StateFile.Open(State, Me);
        Assert.Equal(["id0", "id3000"], again.Outbox.Select(e => e.ClientMessageId));
        Assert.Equal(("c", 7), (again.Cursor, again.Positions[Chat]));
    }

    private string Crash()
    {
        var copy = Path.Combine(_folder, "copy");
        File.Copy(State, copy);
        return copy;
    }
}
