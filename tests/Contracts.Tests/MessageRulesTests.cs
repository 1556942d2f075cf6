using System.Text;

namespace WhatsAspire.Contracts.Tests;

/// <summary>What a message must be.</summary>
public sealed class MessageRulesTests
{
    private static readonly UserId To = UserId.New();
    private static readonly ConversationId In = new(Guid.NewGuid());

    [Theory]
    [InlineData("c", "x")]
    [InlineData("~ spaces and !", "x")]
    public void What_keeps_the_rules_is_taken(string id, string text)
    {
        Assert.Null(Check(id, text, To, null));
        Assert.Null(Check(id, text, null, In));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("a\u007f")]
    [InlineData("tab\t")]
    [InlineData("ä")]
    public void The_client_message_id_is_printable_ascii(string? id) =>
        Assert.Contains("client_message_id", Refusal(ErrorCode.InvalidArgument, Check(id, "x", To, null)), StringComparison.Ordinal);

    [Fact]
    public void The_client_message_id_has_at_most_64_characters()
    {
        Assert.Null(Check(new('x', 64), "x", To, null));
        Refusal(ErrorCode.InvalidArgument, Check(new('x', 65), "x", To, null));
    }

    [Fact]
    public void Exactly_one_target_is_named()
    {
        Refusal(ErrorCode.InvalidArgument, Check("c", "x", To, In));
        Refusal(ErrorCode.InvalidArgument, Check("c", "x", null, null));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("ü")]
    [InlineData("字")]
    [InlineData("🙂")]
    public void A_text_has_up_to_4096_code_points_of_whatever_size(string one)
    {
        var most = string.Concat(Enumerable.Repeat(one, Limits.TextLength));
        Assert.Null(Check("c", most, To, null));
        Assert.Contains("4097", Refusal(ErrorCode.TooLarge, Check("c", most + one, To, null)), StringComparison.Ordinal);
        Refusal(ErrorCode.InvalidArgument, Check("c", "", To, null));
    }

    private static Error? Check(string? id, string text, UserId? to, ConversationId? conversation) =>
        MessageRules.Check(id, Encoding.UTF8.GetBytes(text), to, conversation);

    private static string Refusal(ErrorCode code, Error? error)
    {
        Assert.Equal(code, error?.Code);
        return error!.Message;
    }
}
