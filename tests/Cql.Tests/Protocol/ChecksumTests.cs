using System.Text;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests.Protocol;

public sealed class ChecksumTests
{
    /// <summary>Worked out with the bit-by-bit definition of the protocol's text, in another language.</summary>
    [Theory]
    [InlineData("", 0x875060)]
    [InlineData("000000", 0x7DE777)]
    [InlineData("0B0002", 0x110894)]
    [InlineData("FFFF03", 0x474025)]
    [InlineData("0102030405", 0x319669)]
    public void Crc24_of_a_header(string header, int expected) =>
        Assert.Equal((uint)expected, Crc24.Compute(Convert.FromHexString(header)));

    [Theory]
    [InlineData("", 0x44777ED3)]
    [InlineData("hello", 0xB60E8074)]
    [InlineData("123456789", 0xE2A261A7)]
    public void Crc32_of_a_payload_begins_with_the_four_bytes(string payload, uint expected)
    {
        var checksum = new PayloadChecksum();
        Assert.Equal(expected, checksum.Compute(Encoding.ASCII.GetBytes(payload)));
        // The same object, again.
        Assert.Equal(expected, checksum.Compute(Encoding.ASCII.GetBytes(payload)));
    }
}
