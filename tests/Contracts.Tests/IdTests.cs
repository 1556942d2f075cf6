using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace WhatsAspire.Contracts.Tests;

/// <summary>Ids.</summary>
public sealed class IdTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 10, 15, 30, TimeSpan.Zero);

    /// <summary>Computed with Python: uuid and hashlib, SHA-1 over the name space and both ids' bytes, the smaller
    /// first.</summary>
    [Theory]
    [InlineData("11111111-1111-1111-1111-111111111111", "f0000000-0000-4000-8000-00000000000a", "5aebd3b0-0763-582e-9895-43d95f4e2796")]
    [InlineData("80000000-0000-4000-8000-000000000000", "7fffffff-ffff-4fff-bfff-ffffffffffff", "2a875fcf-0997-5c29-b108-7f6152c02381")]
    public void A_direct_conversations_id_follows_from_both_users_in_either_order(string a, string b, string expected)
    {
        UserId one = new(new(a)), two = new(new(b));
        Assert.Equal(expected, ConversationId.Direct(one, two).ToString());
        Assert.Equal(expected, ConversationId.Direct(two, one).ToString());
    }

    [Fact]
    public void Ids_order_as_their_text_does()
    {
        var ids = Enumerable.Range(0, 200).Select(_ => UserId.New()).ToList();
        Assert.Equal(ids.OrderBy(i => i.ToString(), StringComparer.Ordinal), ids.Order());
    }

    [Fact]
    public void Message_ids_are_version_1_with_the_time_of_the_clock()
    {
        var id = new MessageIdGenerator(new FakeTimeProvider(Start)).Next();
        Assert.Equal(1, id.Value.Version);
        Assert.InRange(id.Value.Variant, 8, 11);
        Assert.Equal(Start.UtcTicks, Ticks(id) + new DateTime(1582, 10, 15, 0, 0, 0, DateTimeKind.Utc).Ticks);
        Assert.Equal(1, Bytes(id)[10] & 1); // a random node id has the multicast bit
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public void Message_ids_rise_though_the_clock_stands_or_goes_back()
    {
        var time = new FakeTimeProvider(Start) { AutoAdvanceAmount = TimeSpan.Zero };
        var generator = new MessageIdGenerator(time);
        var last = Ticks(generator.Next());
        for (var i = 0; i < 1_000; i++) Assert.True(Ticks(generator.Next()) > last + i);
        var back = new SteppedClock(Start, Start - TimeSpan.FromHours(1), Start + TimeSpan.FromSeconds(1));
        generator = new(back);
        long first = Ticks(generator.Next()), second = Ticks(generator.Next()), third = Ticks(generator.Next());
        Assert.True(first < second && second < third);
        Assert.Equal(1, second - first);
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Message_ids_are_unique_and_rise_for_each_of_many_at_once()
    {
        const int each = 20_000;
        var generator = new MessageIdGenerator(new FakeTimeProvider(Start));
        using var together = new Barrier(4);
        var made = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
        {
            together.SignalAndWait();
            var ids = new MessageId[each];
            for (var i = 0; i < each; i++) ids[i] = generator.Next();
            return ids;
        }, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        Assert.Equal(4 * each, made.SelectMany(ids => ids).Distinct().Count());
        foreach (var ids in made) Assert.True(ids.Zip(ids.Skip(1)).All(pair => Ticks(pair.First) < Ticks(pair.Second)));
    }

    [Fact]
    public void Two_generators_never_make_the_same_id()
    {
        var time = new FakeTimeProvider(Start);
        Assert.NotEqual(new MessageIdGenerator(time).Next(), new MessageIdGenerator(time).Next());
    }

    [Fact]
    public void Of_two_connections_the_later_is_the_greater()
    {
        var time = new FakeTimeProvider(Start);
        var first = ConnectionId.New(time);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(ConnectionId.New(time) > first);
    }

    [Fact]
    public void Ids_survive_protobuf_and_json()
    {
        var user = UserId.New();
        var message = new MessageIdGenerator(TimeProvider.System).Next();
        Assert.Equal(user, user.ToBytes().ToUserId());
        Assert.Equal(message, message.ToBytes().ToMessageId());
        Assert.Equal(Bytes(message), message.ToBytes().ToByteArray());
        Assert.Equal($"\"{user.ToString().ToLowerInvariant()}\"", JsonSerializer.Serialize(user));
        Assert.Equal(user, JsonSerializer.Deserialize<UserId>($"\"{user}\""));
        foreach (var bad in new[] { "1", "\"\"", "\"11111111\"", "{}" }) Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<UserId>(bad));
    }

    // 100 ns since 1582-10-15, as RFC 9562 section 5.1 lays them out.
    private static long Ticks(MessageId id)
    {
        var bytes = Bytes(id);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes) | ((long)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(4)) << 32)
            | ((long)(BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(6)) & 0x0fff) << 48);
    }

    private static byte[] Bytes(MessageId id) => id.Value.ToByteArray(bigEndian: true);

    private sealed class SteppedClock(params DateTimeOffset[] times) : TimeProvider
    {
        private int _next;

        public override DateTimeOffset GetUtcNow() => times[Math.Min(_next++, times.Length - 1)];
    }
}
