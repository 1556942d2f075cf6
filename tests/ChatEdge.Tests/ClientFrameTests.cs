using System.Text;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Tests;

public sealed class ClientFrameTests
{
    private static ClientFrame Parse(string json) => ClientFrame.Parse(Encoding.UTF8.GetBytes(json));

    [Theory]
    [InlineData("", ErrorCode.BadFrame)]
    [InlineData("{", ErrorCode.BadFrame)]
    [InlineData("[]", ErrorCode.BadFrame)]
    [InlineData("1", ErrorCode.BadFrame)]
    [InlineData("{} {}", ErrorCode.BadFrame)]
    [InlineData("{}", ErrorCode.BadFrame)]
    [InlineData("""{"type":1}""", ErrorCode.BadFrame)]
    [InlineData("""{"type":null}""", ErrorCode.BadFrame)]
    [InlineData("""{"type":"send","text":5}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","text":"\ud83d"}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","to":"me"}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","to":{}}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","to":{"user_id":"me"}}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","conversation_id":"{6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21}"}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","client_message_id":"ä"}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"send","client_message_id":""}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"read","seq":"5"}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"read","seq":1.5}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"ack","positions":{}}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"ack","positions":[1]}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"ack","positions":[{"seq":1}]}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"ack","positions":[{"conversation_id":"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21","seq":-1}]}""", ErrorCode.InvalidArgument)]
    [InlineData("""{"type":"pull","ranges":[{"conversation_id":"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21","after":0,"limit":501}]}""", ErrorCode.InvalidArgument)]
    public void What_is_wrong_is_named_by_its_code(string json, ErrorCode code) => Assert.Equal(code, Parse(json).Fault?.Code);

    [Fact]
    public void A_fault_does_not_hide_the_ref_that_comes_after_it()
    {
        var frame = Parse("""{"type":"send","text":5,"to":[[]],"client_message_id":"m1","ref":"r1"}""");
        Assert.Equal(ErrorCode.InvalidArgument, frame.Fault?.Code);
        Assert.Equal("r1", frame.ErrorRef);
    }

    [Fact]
    public void Members_come_in_any_order_and_unknown_ones_are_passed_over()
    {
        var frame = Parse("""{"text":"a\nb","x":{"y":[1,{"z":null}]},"reply_to":null,"to":{"q":1,"user_id":"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21"},"type":"send"}""");
        Assert.Null(frame.Fault);
        Assert.Equal("send", frame.Type);
        Assert.Equal("a\nb", frame.Text!.ToStringUtf8());
        Assert.Equal("6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21", frame.ToUser.ToString());
        Assert.Null(frame.ReplyTo);
    }

    [Fact]
    public void Random_bytes_never_throw()
    {
        var random = new Random(7);
        var seed = Encoding.UTF8.GetBytes("""{"type":"send","ref":"r","client_message_id":"m","to":{"user_id":"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21"},"text":"\ud83d\ude00 x","positions":[{"conversation_id":null,"seq":1}],"ranges":[]}""");
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = (byte[])seed.Clone();
            for (var flips = random.Next(1, 6); flips > 0; flips--) bytes[random.Next(bytes.Length)] = (byte)random.Next(128);
            var frame = ClientFrame.Parse(bytes.AsSpan(0, random.Next(bytes.Length + 1)));
            Assert.True(frame.Fault is not null || frame.Type is not null);
        }
    }
}
