using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R32")]
public sealed class RetryTopicsTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 20)]
    [InlineData(3, 80)]
    [InlineData(4, 320)]
    [InlineData(5, 1280)]
    [InlineData(6, 3600)]
    [InlineData(1000, 3600)]
    public void Waits_grow_up_to_an_hour_and_a_fifth(int tries, double seconds)
    {
        Assert.Equal(TimeSpan.FromSeconds(seconds), RetryTopics.Wait(tries, null, 0));
        Assert.Equal(TimeSpan.FromSeconds(seconds * 1.2), RetryTopics.Wait(tries, null, 1));
    }

    [Fact]
    public void No_wait_is_shorter_than_the_provider_asks_for()
    {
        Assert.Equal(TimeSpan.FromSeconds(90), RetryTopics.Wait(1, TimeSpan.FromSeconds(90), 0));
        Assert.Equal(TimeSpan.FromHours(3), RetryTopics.Wait(1, TimeSpan.FromHours(3), 0));
        Assert.Equal(TimeSpan.FromSeconds(80), RetryTopics.Wait(3, TimeSpan.FromSeconds(1), 0));
    }

    [Theory]
    [InlineData(5, "push.seconds")]
    [InlineData(6, "push.seconds")]
    [InlineData(20, "push.minute")]
    [InlineData(72, "push.minute")]
    [InlineData(80, "push.minutes")]
    [InlineData(720, "push.minutes")]
    [InlineData(3600, "push.hours")]
    [InlineData(100_000, "push.hours")]
    public void Each_wait_has_a_topic_with_others_of_its_length(double seconds, string topic)
    {
        Assert.Equal(topic, RetryTopics.Of(TimeSpan.FromSeconds(seconds)));
        Assert.Contains(topic, RetryTopics.All);
    }
}
