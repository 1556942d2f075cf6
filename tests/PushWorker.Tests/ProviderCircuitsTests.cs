using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R32")]
public sealed class ProviderCircuitsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ProviderCircuits _circuits;

    public ProviderCircuitsTests() => _circuits = new(_time);

    [Fact]
    public void Some_failures_in_a_row_open_it_for_a_time_that_grows_to_a_minute()
    {
        for (var i = 0; i < 4; i++) Assert.False(_circuits.Failed("apns", null));
        Assert.Null(_circuits.Open("apns"));
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            Assert.True(_circuits.Failed("apns", null));
            Assert.Equal(TimeSpan.FromSeconds(seconds), _circuits.Open("apns"));
            _time.Advance(TimeSpan.FromSeconds(seconds));
            Assert.Null(_circuits.Open("apns"));
        }
    }

    [Fact]
    public void An_answer_closes_it_and_one_provider_is_not_another()
    {
        for (var i = 0; i < 4; i++) _circuits.Failed("apns", null);
        _circuits.Answered("apns");
        Assert.False(_circuits.Failed("apns", null));
        Assert.Null(_circuits.Open("apns"));
        for (var i = 0; i < 5; i++) _circuits.Failed("fcm", null);
        Assert.NotNull(_circuits.Open("fcm"));
        Assert.Null(_circuits.Open("apns"));
    }

    [Fact]
    public void The_provider_s_own_word_holds_at_once_and_is_never_shortened()
    {
        Assert.True(_circuits.Failed("fcm", TimeSpan.FromMinutes(5)));
        Assert.Equal(TimeSpan.FromMinutes(5), _circuits.Open("fcm"));
        Assert.False(_circuits.Failed("fcm", TimeSpan.FromSeconds(1)));
        Assert.Equal(TimeSpan.FromMinutes(5), _circuits.Open("fcm"));
    }
}
