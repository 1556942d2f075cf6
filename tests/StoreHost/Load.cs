using System.Buffers.Binary;
using System.Globalization;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Rocks;

namespace WhatsAspire.StoreHost;

/// <summary>Writes without end, and reports each thing that was acknowledged, after it was. Each worker numbers its
/// messages, and begins at the number that it is told: the one that it may have written before it was killed.</summary>
internal static class Load
{
    public const int Users = 4;

    public static UserId User(int number)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number + 1);
        return new(new Guid(bytes, bigEndian: true));
    }

    public static async Task<int> RunAsync(string folder, int seed, int[] first)
    {
        var store = Host.Open(folder);
        var ids = new MessageIdGenerator(TimeProvider.System);
        Host.Report("ready");
        await Task.WhenAll(first.Select((number, worker) => Task.Run(() => WorkAsync(store, ids, worker, number, new(seed + worker)))));
        return 0;
    }

    private static async Task WorkAsync(RocksMessageStore store, MessageIdGenerator ids, int worker, int number, Random random)
    {
        var sender = User(worker % Users);
        while (true)
        {
            var chat = ConversationShape.Direct(sender, User((worker + 1 + (number % (Users - 1))) % Users));
            var entries = new List<NewEntry>();
            for (var i = 0; i <= random.Next(3); i++)
            {
                var text = new string((char)('a' + (number + i) % 26), 20 + (number + i) % 300);
                entries.Add(Host.Entry(sender, string.Create(CultureInfo.InvariantCulture, $"{worker}-{number + i}"), text, ids));
            }

            var outcomes = await store.AppendAsync(chat, entries, CancellationToken.None);
            for (var i = 0; i < outcomes.Count; i++)
            {
                var e = outcomes[i].Entry;
                Host.Report(string.Create(CultureInfo.InvariantCulture,
                    $"entry {worker} {number + i} {e.Conversation} {e.Seq} {e.Id} {outcomes[i].Status}"));
            }

            number += outcomes.Count;
            var seq = random.NextInt64(outcomes[^1].Entry.Seq + 1);
            var other = chat.Members[0] == sender ? chat.Members[1] : chat.Members[0];
            var member = (await store.AdvanceAsync(other, [new(chat.Id, seq, seq / 2)], TimeProvider.System.GetUtcNow(), CancellationToken.None))[0].Member!;
            Host.Report(string.Create(CultureInfo.InvariantCulture,
                $"position {chat.Id} {other} {member.DeliveredSeq} {member.ReadSeq}"));
        }
    }
}
