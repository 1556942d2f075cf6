using System.IO.Hashing;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>Entries to append.</summary>
internal static class Entries
{
    public static DateTimeOffset At(double seconds) => new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).AddSeconds(seconds);

    public static NewEntry Text(UserId sender, string text, double at = 0, string? key = null) => new()
    {
        Id = new(Guid.NewGuid()),
        Sender = sender,
        ClientMessageId = key ?? Guid.NewGuid().ToString("N"),
        Kind = EntryKind.Text,
        Text = Encoding.UTF8.GetBytes(text),
        CreatedAt = At(at),
        ContentHash = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(text)),
    };

    /// <summary>Who comes to a group and who goes.</summary>
    public static NewEntry Members(UserId by, IReadOnlyList<UserId>? joins = null, IReadOnlyList<UserId>? leaves = null, double at = 0) =>
        Text(by, "", at) with
        {
            Kind = EntryKind.System,
            Text = default,
            Members = [.. (joins ?? []).Select(u => new MemberChange(u, true)), .. (leaves ?? []).Select(u => new MemberChange(u, false))],
        };

    public static NewEntry Delete(UserId sender, NewEntry target, long seq, double at = 0) => Text(sender, "", at) with
    {
        Kind = EntryKind.Delete,
        Text = default,
        Target = target.Id,
        TargetSeq = seq,
        ContentHash = XxHash3.HashToUInt64(target.Id.Value.ToByteArray()),
    };
}
