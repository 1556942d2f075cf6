using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.Contracts.Tests;

/// <summary>The list of errors.</summary>
public sealed class ErrorTests
{
    [Fact]
    public void The_words_are_those_of_the_wire_in_its_order()
    {
        string[] words =
        [
            "bad_frame", "unknown_type", "invalid_argument", "too_large", "unauthenticated", "token_expired", "forbidden",
            "blocked", "not_found", "conflict", "gone", "rate_limited", "unavailable", "internal",
        ];
        Assert.Equal(words, Enum.GetValues<ErrorCode>().Order().Select(code => code.Word()));
        Assert.Equal(Enumerable.Range(1, words.Length), Enum.GetValues<ErrorCode>().Order().Select(code => (int)code));
        Assert.Throws<ArgumentOutOfRangeException>(() => ((ErrorCode)99).Word());
    }

    [Theory]
    [InlineData(ErrorCode.BadFrame, false, 400)]
    [InlineData(ErrorCode.UnknownType, false, 400)]
    [InlineData(ErrorCode.InvalidArgument, false, 400)]
    [InlineData(ErrorCode.TooLarge, false, 413)]
    [InlineData(ErrorCode.Unauthenticated, false, 401)]
    [InlineData(ErrorCode.TokenExpired, false, 401)]
    [InlineData(ErrorCode.Forbidden, false, 403)]
    [InlineData(ErrorCode.Blocked, false, 403)]
    [InlineData(ErrorCode.NotFound, false, 404)]
    [InlineData(ErrorCode.Conflict, false, 409)]
    [InlineData(ErrorCode.Gone, false, 410)]
    [InlineData(ErrorCode.RateLimited, true, 429)]
    [InlineData(ErrorCode.Unavailable, true, 503)]
    [InlineData(ErrorCode.Internal, true, 500)]
    public void Each_says_whether_to_try_again_and_what_http_calls_it(ErrorCode code, bool retryable, int status) =>
        Assert.Equal((retryable, status), (code.IsRetryable(), code.HttpStatus()));

    [Fact]
    public void They_survive_the_way_between_services()
    {
        foreach (var code in Enum.GetValues<ErrorCode>())
        {
            var error = new Error(code, "why", TimeSpan.FromMilliseconds(250));
            Assert.Equal(error, Faults.ToError(error.ToFault()));
            Assert.Null(Faults.ToError(new Error(code, "why").ToFault()).RetryAfter);
        }

        Assert.Equal(ErrorCode.Internal, Faults.ToError(new Fault { Code = 99 }).Code);
        Assert.Equal(ErrorCode.Internal, Faults.ToError(null).Code);
    }

    [Fact]
    public void An_outcome_is_a_value_or_an_error()
    {
        Outcome<int> good = 5, bad = Error.NotFound("user");
        Assert.Equal((true, 5, null), (good.IsOk, good.Value, good.Error));
        Assert.Equal((false, ErrorCode.NotFound), (bad.IsOk, bad.Error?.Code));
        Assert.Throws<InvalidOperationException>(() => bad.Value);
    }
}
