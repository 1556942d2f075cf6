using System.Buffers.Binary;
using System.Numerics;

namespace WhatsAspire.Cql.Cluster;

/// <summary>The hash that places partitions on the ring: MurmurHash3 x64 128 by Austin Appleby with seed 0, of which Cassandra
/// takes the first half; in the last bytes it sign-extends where the original does not (Murmur3Partitioner, CASSANDRA-3772).</summary>
internal static class Murmur3
{
    private const ulong C1 = 0x87C37B91114253D5;
    private const ulong C2 = 0x4CF5AD432745937F;

    public static long Token(ReadOnlySpan<byte> key)
    {
        ulong h1 = 0;
        ulong h2 = 0;
        var rest = key;
        for (; rest.Length >= 16; rest = rest[16..])
        {
            h1 ^= Mix1(BinaryPrimitives.ReadUInt64LittleEndian(rest));
            h1 = ((BitOperations.RotateLeft(h1, 27) + h2) * 5) + 0x52DCE729;
            h2 ^= Mix2(BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]));
            h2 = ((BitOperations.RotateLeft(h2, 31) + h1) * 5) + 0x38495AB5;
        }

        ulong k1 = 0;
        ulong k2 = 0;
        for (var i = rest.Length - 1; i >= 0; i--)
        {
            var signed = (ulong)(sbyte)rest[i];
            if (i >= 8)
                k2 ^= signed << (8 * (i - 8));
            else
                k1 ^= signed << (8 * i);
        }

        // Mixing zero gives zero, so nothing need be known of how much was left.
        h1 ^= Mix1(k1);
        h2 ^= Mix2(k2);
        h1 ^= (ulong)key.Length;
        h2 ^= (ulong)key.Length;
        h1 += h2;
        h2 += h1;
        var token = (long)(Finish(h1) + Finish(h2));
        // The smallest value stands for 'no token' there.
        return token == long.MinValue ? long.MaxValue : token;
    }

    private static ulong Mix1(ulong k) => BitOperations.RotateLeft(k * C1, 31) * C2;

    private static ulong Mix2(ulong k) => BitOperations.RotateLeft(k * C2, 33) * C1;

    private static ulong Finish(ulong h)
    {
        h ^= h >> 33;
        h *= 0xFF51AFD7ED558CCD;
        h ^= h >> 33;
        h *= 0xC4CEB9FE1A85EC53;
        return h ^ (h >> 33);
    }
}
