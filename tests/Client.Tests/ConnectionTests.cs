using Microsoft.Extensions.Time.Testing;
using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>How the client stays connected, and when it does not.</summary>
public sealed class ConnectionTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_states_are_told_and_the_token_and_cursor_given()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var connecting = test.Client.ConnectAsync(Cancel);
        await test.NextStatusAsync(ConnectionState.Connecting);
        var connection = await server.NextConnectionAsync();
        Assert.Equal("Bearer access-0", connection.Authorization);
        var hello = await connection.WelcomeAsync();
        Assert.Equal(1, (int?)hello["protocol"]);
        Assert.Null(hello["cursor"]);
        Assert.False(connecting.IsCompleted);
        await connection.SendAsync("""{"type":"synced","cursor":"c7"}""");
        await test.NextStatusAsync(ConnectionState.Online);
        await connecting.In("the connection");
        connection.Abort();
        await test.NextStatusAsync(ConnectionState.Offline);
        Assert.Equal("c7", (string?)(await (await server.NextConnectionAsync()).WelcomeAsync())["cursor"]);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(1012)]
    [InlineData(1013)]
    [InlineData(4408)]
    public async Task It_comes_back_after_a_close_that_lets_it(int code)
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        await (await server.WelcomeAsync()).CloseAsync(code, "as scripted");
        await server.WelcomeAsync();
    }

    [Theory]
    [InlineData(1003, "bad_frame")]
    [InlineData(1008, "bad_frame")]
    [InlineData(1009, "bad_frame")]
    [InlineData(4403, "unauthenticated")]
    [InlineData(4409, "conflict")]
    public async Task It_stays_away_after_a_close_that_does_not(int code, string word)
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        var message = await test.Client.SendAsync(Bob, "hello", cancellationToken: Cancel);
        await connection.CloseAsync(code, "as scripted");
        var status = await test.NextStatusAsync(ConnectionState.Stopped);
        Assert.Equal(word, status.Error?.Code);
        Assert.Equal(word, (await Assert.ThrowsAsync<ChatException>(() => test.Client.Completion.In("the end"))).Code);
        Assert.Equal(word, (await Assert.ThrowsAsync<ChatException>(() => message.Sent.In("the end"))).Code);
        Assert.Equal(word, (await Assert.ThrowsAsync<ChatException>(() => test.Client.SendAsync(Bob, "more", cancellationToken: Cancel))).Code);
        await test.Client.DisposeAsync();
        Assert.False(server.HasConnection);
        await Assert.ThrowsAsync<ChatException>(() => test.NextMessageAsync());
    }

    [Fact]
    [Trait("Requirement", "R45")]
    public async Task A_refused_token_is_refreshed_once()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var renewed = new List<string>();
        test.Account.TokensChanged += tokens => renewed.Add(tokens.RefreshToken);
        test.Client.Start();
        await (await server.NextConnectionAsync()).CloseAsync(4401, "token_expired");
        var second = await server.WelcomeAsync();
        Assert.Equal("Bearer access-1", second.Authorization);
        await test.NextStatusAsync(ConnectionState.Online);
        Assert.Equal(["refresh-1"], renewed);
        // Welcomed in between: it may be refreshed again.
        await second.CloseAsync(4401, "token_expired");
        await (await server.NextConnectionAsync()).CloseAsync(4401, "unauthenticated");
        Assert.Equal("unauthenticated", (await test.NextStatusAsync(ConnectionState.Stopped)).Error?.Code);
        Assert.Equal(2, server.Refreshes);
    }

    [Fact]
    public async Task A_handshake_refused_with_401_means_a_new_token_too()
    {
        await using var refusing = await ScriptedServer.StartAsync();
        refusing.Refuse = 401;
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, refusing, server);
        test.Client.Start();
        Assert.Equal("Bearer access-1", (await server.WelcomeAsync()).Authorization);
    }

    [Fact]
    public async Task A_token_near_its_end_is_refreshed_before_it_is_used()
    {
        var time = new FakeTimeProvider();
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { Time = time, ConnectTimeout = TimeSpan.FromHours(1) }, server);
        time.Advance(TimeSpan.FromSeconds(850));
        test.Client.Start();
        Assert.Equal("Bearer access-1", (await server.NextConnectionAsync()).Authorization);
    }

    [Fact]
    [Trait("Requirement", "R42")]
    public async Task An_address_that_does_not_answer_is_passed_over()
    {
        var gone = await ScriptedServer.StartAsync();
        await gone.DisposeAsync();
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, gone, server);
        test.Client.Start();
        await server.WelcomeAsync();
    }

    [Fact]
    [Trait("Requirement", "R43")]
    public async Task Told_to_reconnect_it_finishes_leaves_and_comes_back_after_that_time()
    {
        var time = new FakeTimeProvider();
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { Time = time, ConnectTimeout = TimeSpan.FromHours(1) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await test.NextStatusAsync(ConnectionState.Online);
        var message = await test.Client.SendAsync(Bob, "in flight", cancellationToken: Cancel);
        var send = await connection.ReceiveNextAsync("send");
        await connection.SendAsync("""{"type":"reconnect","after_ms":5000,"reason":"restart"}""");
        await test.Client.SendAsync(Bob, "later", cancellationToken: Cancel);
        await connection.SendAsync(Sent(send, 1));
        await message.Sent.In("sent");
        await connection.Ended.In("the client's leaving");
        Assert.False(connection.HasFrame);
        await test.NextStatusAsync(ConnectionState.Offline);
        var left = time.GetUtcNow();
        var again = await server.NextConnectionAsync().WhileTimePasses(time, TimeSpan.FromMilliseconds(50));
        Assert.InRange(time.GetUtcNow() - left, TimeSpan.FromSeconds(4.9), TimeSpan.FromMinutes(1));
        await again.WelcomeAsync();
        Assert.Equal("later", (string?)(await again.ReceiveNextAsync("send"))["text"]);
    }

    [Fact]
    public async Task It_pings_when_it_is_silent_and_leaves_a_connection_that_is_dead()
    {
        var time = new FakeTimeProvider();
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { Time = time, ConnectTimeout = TimeSpan.FromHours(1) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await test.NextStatusAsync(ConnectionState.Online);
        var start = time.GetUtcNow();
        await connection.ReceiveNextAsync("ping").WhileTimePasses(time, TimeSpan.FromMilliseconds(200));
        Assert.True(time.GetUtcNow() - start <= TimeSpan.FromSeconds(30));
        await server.NextConnectionAsync().WhileTimePasses(time, TimeSpan.FromMilliseconds(200));
        Assert.InRange(time.GetUtcNow() - start, TimeSpan.FromSeconds(49), TimeSpan.FromSeconds(120));
        await connection.Ended.In("the end of the dead connection");
    }

    [Fact]
    public async Task A_frame_that_can_not_be_read_costs_the_connection_and_unknown_ones_nothing()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync("""{"type":"sparkle","x":[1,{"type":"y"}]}""");
        await connection.SendAsync("""{"type":"message","seq":1}""");
        Assert.Contains("can't be read", (await test.NextStatusAsync(ConnectionState.Offline)).Reason, StringComparison.Ordinal);
        await server.WelcomeAsync();
    }

    [Fact]
    public void Waits_double_up_to_a_limit_and_are_spread()
    {
        var options = new ChatClientOptions { MinBackoff = TimeSpan.FromMilliseconds(100), MaxBackoff = TimeSpan.FromSeconds(2) };
        foreach (var (failures, most) in new[] { (0, 100), (1, 200), (3, 800), (5, 2000), (1000, 2000) })
        {
            var waits = Enumerable.Range(0, 200).Select(_ => options.Backoff(failures).TotalMilliseconds).ToList();
            Assert.InRange(waits.Min(), most / 2.0, most);
            Assert.InRange(waits.Max(), most / 2.0, most);
            Assert.True(waits.Max() - waits.Min() > most / 8.0);
        }
    }

    [Fact]
    public async Task A_cursor_that_the_server_does_not_know_is_dropped()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var first = await server.WelcomeAsync("old");
        await test.NextStatusAsync(ConnectionState.Online);
        first.Abort();
        var connection = await server.NextConnectionAsync();
        Assert.Equal("old", (string?)(await connection.ReceiveAsync("hello"))["cursor"]);
        await connection.SendAsync("""{"type":"error","code":"invalid_argument","message":"'cursor'","retryable":false}""");
        Assert.Null((await (await server.NextConnectionAsync()).ReceiveAsync("hello"))["cursor"]);
    }
}
