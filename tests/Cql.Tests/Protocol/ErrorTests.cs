using System.Net;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests.Protocol;

public sealed class ErrorTests
{
    private static readonly IPEndPoint Node = new(IPAddress.Loopback, 9042);

    [Theory]
    [InlineData(0x0000, typeof(CqlServerException), true)]
    [InlineData(0x000A, typeof(CqlProtocolException), false)]
    [InlineData(0x0100, typeof(CqlAuthenticationException), false)]
    [InlineData(0x1001, typeof(CqlOverloadedException), true)]
    [InlineData(0x1002, typeof(CqlBootstrappingException), false)]
    [InlineData(0x1003, typeof(CqlTruncateException), true)]
    [InlineData(0x2000, typeof(CqlSyntaxException), false)]
    [InlineData(0x2100, typeof(CqlUnauthorizedException), false)]
    [InlineData(0x2200, typeof(CqlInvalidQueryException), false)]
    [InlineData(0x2300, typeof(CqlConfigurationException), false)]
    [InlineData(0x7777, typeof(CqlServerException), true)]
    public void Codes_have_their_exceptions(int code, Type expected, bool mayHaveBeenApplied)
    {
        var error = Read(code, _ => { });
        Assert.IsType(expected, error);
        Assert.Equal(code, error.ServerCode);
        Assert.Equal(Node, error.Node);
        Assert.Contains("127.0.0.1:9042: because", error.Message, StringComparison.Ordinal);
        Assert.Equal(mayHaveBeenApplied, error.MayHaveBeenApplied);
        Assert.False(Read(code, _ => { }, isRead: true).MayHaveBeenApplied);
    }

    [Fact]
    public void A_write_timeout_says_how_many_confirmed()
    {
        var error = Assert.IsType<CqlWriteTimeoutException>(Read(0x1100, writer =>
        {
            writer.WriteUInt16((int)CqlConsistency.LocalQuorum);
            writer.WriteInt32(1);
            writer.WriteInt32(2);
            writer.WriteString("CAS");
            writer.WriteUInt16(3);
        }));
        Assert.Equal((CqlConsistency.LocalQuorum, 1, 2, "CAS", true), (error.Consistency, error.Received, error.Required, error.WriteType, error.MayHaveBeenApplied));
    }

    [Fact]
    public void Unavailable_is_certain_but_for_conditional_writes()
    {
        static void Body(ByteWriter writer)
        {
            writer.WriteUInt16((int)CqlConsistency.Quorum);
            writer.WriteInt32(2);
            writer.WriteInt32(1);
        }

        var error = Assert.IsType<CqlUnavailableException>(Read(0x1000, Body));
        Assert.Equal((CqlConsistency.Quorum, 2, 1, false), (error.Consistency, error.Required, error.Alive, error.MayHaveBeenApplied));
        Assert.True(Read(0x1000, Body, isConditional: true).MayHaveBeenApplied);
    }

    [Fact]
    public void Reads_say_whether_the_data_were_there()
    {
        var timeout = Assert.IsType<CqlReadTimeoutException>(Read(0x1200, writer =>
        {
            writer.WriteUInt16((int)CqlConsistency.All);
            writer.WriteInt32(2);
            writer.WriteInt32(3);
            writer.WriteByte(1);
        }, isRead: true));
        Assert.Equal((2, 3, true), (timeout.Received, timeout.Required, timeout.DataPresent));

        var failure = Assert.IsType<CqlReadFailureException>(Read(0x1300, writer =>
        {
            writer.WriteUInt16((int)CqlConsistency.All);
            writer.WriteInt32(2);
            writer.WriteInt32(3);
            writer.WriteInt32(1);
            writer.WriteByte(4);
            writer.Write([127, 0, 0, 2]);
            writer.WriteUInt16(1);
            writer.WriteByte(0);
        }, isRead: true));
        Assert.Equal((1, false), (failure.Failures, failure.DataPresent));
    }

    [Fact]
    public void Failed_and_unknown_writes_may_have_been_applied()
    {
        var failure = Assert.IsType<CqlWriteFailureException>(Read(0x1500, writer =>
        {
            writer.WriteUInt16((int)CqlConsistency.One);
            writer.WriteInt32(0);
            writer.WriteInt32(1);
            writer.WriteInt32(2);
            writer.WriteString("SIMPLE");
        }, version: 4));
        Assert.Equal((2, "SIMPLE", true), (failure.Failures, failure.WriteType, failure.MayHaveBeenApplied));

        var unknown = Assert.IsType<CqlCasWriteUnknownException>(Read(0x1700, writer =>
        {
            writer.WriteUInt16((int)CqlConsistency.Serial);
            writer.WriteInt32(1);
            writer.WriteInt32(2);
        }));
        Assert.Equal((1, 2, true), (unknown.Received, unknown.Required, unknown.MayHaveBeenApplied));
    }

    private static CqlException Read(int code, Action<ByteWriter> more, bool isRead = false, bool isConditional = false, int version = 5)
    {
        using var writer = new ByteWriter();
        writer.WriteInt32(code);
        writer.WriteString("because");
        more(writer);
        return ErrorReader.Read(new(Opcode.Error, EnvelopeFlags.None, writer.Written.ToArray()), version, Node, isRead, isConditional);
    }
}
