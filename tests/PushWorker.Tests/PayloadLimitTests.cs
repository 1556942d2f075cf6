using System.Globalization;
using System.Text;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R30")]
public sealed class PayloadLimitTests : GatewayTest
{
    private static readonly string[] Providers = [PushProviders.Apns, PushProviders.Fcm, PushProviders.WebPush];

    private static readonly Dictionary<string, string> Texts = new()
    {
        ["ascii"] = Repeat("lorem ipsum ", 1000),
        ["three bytes"] = Repeat("漢字", 3000),
        ["four bytes"] = Repeat("👋", 3000),
        ["families"] = Repeat("👨‍👩‍👧‍👦", 500),
        ["combined"] = Repeat("e\u0301", 3000),
        ["escapes"] = Repeat("\"\\\n\u0001", 2000),
        ["one letter"] = "e" + Repeat("\u0301", 5000),
    };

    public static TheoryData<string, string> Cases => new(Providers.SelectMany(_ => Texts.Keys, (provider, text) => (provider, text)));

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_long_text_is_cut_between_characters_and_fills_what_there_is(string provider, string text)
    {
        var sent = NewNotification() with { Body = Texts[text] };

        Is<PushResult.Accepted>(await SendAsync(NewAddress(provider), sent));

        var got = Assert.Single(Gateway.Received);
        Assert.True(got.Bytes <= 4096);
        Assert.Equal(sent.Title, got.Title);
        if (text == "one letter")
        {
            Assert.Equal("", got.Body);
            return;
        }
        Assert.True(got.Bytes > 4096 - 64, $"{got.Bytes} bytes are not all that there is");
        Assert.EndsWith("…", got.Body, StringComparison.Ordinal);
        var kept = got.Body![..^1];
        Assert.StartsWith(kept, sent.Body, StringComparison.Ordinal);
        Assert.Contains(kept.Length, Boundaries(sent.Body));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Of_a_long_title_what_fits_remains(string provider, string text)
    {
        var sent = NewNotification() with { Title = Texts[text], Body = Texts[text] };

        Is<PushResult.Accepted>(await SendAsync(NewAddress(provider), sent));

        var got = Assert.Single(Gateway.Received);
        Assert.True(got.Bytes <= 4096);
        Assert.Equal("", got.Body);
        Assert.Equal(text == "one letter" ? "" : "…", got.Title!.Length == 0 ? "" : got.Title[^1..]);
    }

    [Fact]
    public void A_text_that_fits_is_not_touched()
    {
        var calls = 0;
        var payload = FittingText.Fit("title", "body", 9, (title, body) =>
        {
            calls++;
            return Encoding.UTF8.GetBytes(title + body);
        });
        Assert.Equal(("titlebody", 1), (Encoding.UTF8.GetString(payload), calls));
    }

    [Theory]
    [InlineData(10, "titlebb…")]
    [InlineData(8, "title")]
    [InlineData(5, "title")]
    [InlineData(4, "t…")]
    [InlineData(2, "")]
    public void As_much_is_kept_as_fits(int limit, string kept)
    {
        var payload = FittingText.Fit("title", "bbbbbbbb", limit, (title, body) => Encoding.UTF8.GetBytes(title + body));
        Assert.Equal(kept, Encoding.UTF8.GetString(payload));
    }

    /// <summary>Where a cut may be: a blank before it goes as well.</summary>
    private static HashSet<int> Boundaries(string text)
    {
        HashSet<int> boundaries = [text.Length];
        foreach (var at in StringInfo.ParseCombiningCharacters(text)) boundaries.Add(text[..at].TrimEnd().Length);
        return boundaries;
    }

    private static string Repeat(string text, int times) => new StringBuilder().Insert(0, text, times).ToString();
}
