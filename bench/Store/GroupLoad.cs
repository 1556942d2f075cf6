using System.Diagnostics;
using System.Globalization;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Bench.Store;

/// <summary>A group whose members all read along: what their positions cost the store, each by itself and many in one
/// call.</summary>
internal sealed class GroupLoad(double seconds, int members)
{
    private readonly MessageIdGenerator _ids = new(TimeProvider.System);

    /// <summary>Measures, and prints a line for each size of a call.</summary>
    public async Task MeasureAsync(IMessageStore store)
    {
        var group = ConversationShape.Group(ConversationId.NewGroup());
        UserId[] users = [.. Enumerable.Range(0, members).Select(_ => UserId.New())];
        var seq = await AppendAsync(store, group, users[0], EntryKind.System, [.. users.Select(u => new MemberChange(u, true))]);
        Console.WriteLine($"a group of {members}, all read every message");
        Console.WriteLine($"{"in one call",12} {"calls at once",14} {"messages/s",11} {"positions/s",12} {"ms a message",13} {"CPU ms",8}");
        foreach (var (size, atOnce) in new[] { (1, 64), (members / 10, 1), (members, 1) })
        {
            using var process = Process.GetCurrentProcess();
            var (count, cpu, start) = (0, process.TotalProcessorTime, Stopwatch.GetTimestamp());
            for (; Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; count++)
            {
                seq = await AppendAsync(store, group, users[count % members], EntryKind.Text, []);
                var parallel = new ParallelOptions { MaxDegreeOfParallelism = atOnce };
                await Parallel.ForEachAsync(users.Chunk(size), parallel, async (some, cancel) => await store.AdvanceAsync(
                    [.. some.Select(u => new MemberPosition(u, group.Id, seq, seq))], TimeProvider.System.GetUtcNow(), cancel));
            }

            var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
            process.Refresh();
            cpu = process.TotalProcessorTime - cpu;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{size,12} {atOnce,14} {count / elapsed,11:N1} {count * members / elapsed,12:N0} {elapsed * 1000 / count,13:N1} {cpu.TotalMilliseconds / count,8:N1}"));
        }
    }

    private async Task<long> AppendAsync(
        IMessageStore store, ConversationShape group, UserId sender, EntryKind kind, IReadOnlyList<MemberChange> changes)
    {
        var id = _ids.Next();
        var outcomes = await store.AppendAsync(group, [new()
        {
            Id = id,
            Sender = sender,
            ClientMessageId = id.ToString(),
            Kind = kind,
            Text = Encoding.ASCII.GetBytes(new string('x', 100)),
            Members = changes,
            CreatedAt = TimeProvider.System.GetUtcNow(),
            ContentHash = 1,
        }], CancellationToken.None);
        return outcomes[0].Entry.Seq;
    }
}
