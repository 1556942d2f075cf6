using System.IO.Hashing;

namespace WhatsAspire.Cql.Protocol;

/// <summary>CRC24 over the header of a segment: Koopman's polynomial 0x1974F0B, initial value 0x875060, most significant bit
/// first, without reflection (protocol v5, section 2.1).</summary>
internal static class Crc24
{
    private const uint Polynomial = 0x1974F0B;
    private const uint Initial = 0x875060;

    /// <param name="header">The bytes as they stand on the wire.</param>
    public static uint Compute(ReadOnlySpan<byte> header)
    {
        var crc = Initial;
        foreach (var next in header)
        {
            crc ^= (uint)next << 16;
            for (var bit = 0; bit < 8; bit++)
            {
                crc <<= 1;
                if ((crc & 0x1000000) != 0)
                    crc ^= Polynomial;
            }
        }

        return crc & 0xFFFFFF;
    }
}

/// <summary>CRC32 over the payload of a segment: that of zip, begun with four fixed bytes so that an empty payload is not all
/// zeros (protocol v5, section 2.1). Not thread-safe.</summary>
internal sealed class PayloadChecksum
{
    private readonly Crc32 _crc = new();

    private static ReadOnlySpan<byte> Begin => [0xFA, 0x2D, 0x55, 0xCA];

    public uint Compute(ReadOnlySpan<byte> payload)
    {
        _crc.Reset();
        _crc.Append(Begin);
        _crc.Append(payload);
        return _crc.GetCurrentHashAsUInt32();
    }
}
