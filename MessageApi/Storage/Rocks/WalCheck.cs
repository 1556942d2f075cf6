using System.Buffers.Binary;
using System.Numerics;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Tells the tail of a write-ahead log that a crash left half-written, which RocksDB drops, from damage before
/// acknowledged records, which RocksDB would take for such a tail and drop everything after it. A record is synced
/// before the next one is written: so the record that a crash tore is the last one, and a whole record that begins
/// after a torn one means that something acknowledged is damaged.
/// <para>The format is RocksDB's own, from its wiki 'Write Ahead Log File Format': blocks of 32 KiB with records of
/// a masked CRC-32C (4 bytes), a length (2), a type (1) and a payload; a record that does not fit is split into
/// first, middle and last.</para></summary>
internal static class WalCheck
{
    private const int BlockLength = 32 * 1024;
    private const int HeaderLength = 7;
    private const byte Full = 1;
    private const byte First = 2;
    private const byte Last = 4;

    /// <exception cref="StoreUnavailableException">A log of the folder is damaged before its tail.</exception>
    public static void Run(string folder)
    {
        foreach (var file in System.IO.Directory.EnumerateFiles(folder, "*.log"))
        {
            using var stream = File.OpenRead(file);
            if (FindDamage(stream) is { } offset)
            {
                throw new StoreUnavailableException(
                    $"the write-ahead log '{file}' is damaged at byte {offset}, before records that were acknowledged: "
                    + "opening it would lose them. Restore the folder from a copy.");
            }
        }
    }

    /// <returns>Where the damage is; null when the log is whole up to its tail.</returns>
    private static long? FindDamage(Stream log)
    {
        var block = new byte[BlockLength];
        long start = 0;
        long? broken = null;
        var inside = false;
        for (int length; (length = log.ReadAtLeast(block, BlockLength, throwOnEndOfStream: false)) > 0; start += length)
        {
            for (var at = 0; at + HeaderLength <= length;)
            {
                var record = block.AsSpan(at, length - at);
                if (!IsWhole(record, out var payload, out var type))
                {
                    // The end of a whole record is known; after a damaged one each byte may begin the next.
                    broken ??= start + at;
                    at++;
                    continue;
                }

                var begins = type is Full or First;
                if (begins && (broken is not null || inside)) return broken ?? start + at;
                inside = type == First || (inside && type != Last);
                at += HeaderLength + payload;
            }
        }

        return null;
    }

    private static bool IsWhole(ReadOnlySpan<byte> record, out int payload, out byte type)
    {
        payload = BinaryPrimitives.ReadUInt16LittleEndian(record[4..]);
        type = record[6];
        return type != 0 && HeaderLength + payload <= record.Length
            && BinaryPrimitives.ReadUInt32LittleEndian(record) == Checksum(record.Slice(6, payload + 1));
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..]) crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        crc = ~crc;
        return unchecked(((crc >> 15) | (crc << 17)) + 0xa282ead8u);
    }
}
