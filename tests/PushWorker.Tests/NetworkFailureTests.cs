using System.Net;
using System.Net.Sockets;
using WhatsAspire.PushGateways;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>What goes wrong on the way is a result, and the next notification gets through.</summary>
[Trait("Requirement", "R30")]
[Trait("Requirement", "R32")]
public sealed class NetworkFailureTests : GatewayTest
{
    public static TheoryData<string> Providers => [PushProviders.Apns, PushProviders.Fcm, PushProviders.WebPush];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_connection_that_is_cut_is_no_answer(string provider)
    {
        var to = NewAddress(provider);
        Gateway.Script.For(to.Token, Behaviour.CutConnection(), times: 1);

        IsLater(provider, await SendAsync(to, NewNotification()));

        // Each is sent once: a request that may have got through is the caller's to repeat.
        Assert.Single(Gateway.Received);
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task An_answer_that_comes_too_late_is_none(string provider)
    {
        var to = NewAddress(provider);
        Gateway.Script.For(to.Token, Behaviour.AnswerAfter(TimeSpan.FromHours(1)), times: 1);

        var sending = SendAsync(to, NewNotification());
        await Gateway.UntilAsync(push => push.Token == to.Token, Patience, Cancellation);
        Time.Advance(new SenderOptions().RequestTimeout - TimeSpan.FromSeconds(1));
        Assert.False(sending.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("Timeout", IsLater(provider, await sending.WaitAsync(Patience, Cancellation)).Reason);
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task An_answer_that_is_only_slow_is_waited_for(string provider)
    {
        var to = NewAddress(provider);
        Gateway.Script.For(to.Token, Behaviour.AnswerAfter(TimeSpan.FromSeconds(20)));

        var sending = SendAsync(to, NewNotification());
        await Gateway.UntilAsync(push => push.Token == to.Token, Patience, Cancellation);
        Time.Advance(TimeSpan.FromSeconds(20));

        Is<PushResult.Accepted>(await sending.WaitAsync(Patience, Cancellation));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_gateway_under_another_authority_is_not_talked_to(string provider)
    {
        using var others = GatewayCertificates.Create();
        await System.IO.File.WriteAllTextAsync(File("other.pem"), others.RootPem, Cancellation);
        Set("Push:TrustedRootPath", File("other.pem"));

        Assert.Equal("SecureConnectionError", IsLater(provider, await SendAsync(NewAddress(provider), NewNotification())).Reason);
        Assert.Empty(Gateway.Answered);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_systems_authorities_do_not_vouch_for_a_gateway(string provider)
    {
        Set("Push:TrustedRootPath", "");

        Assert.Equal("SecureConnectionError", IsLater(provider, await SendAsync(NewAddress(provider), NewNotification())).Reason);
        Assert.Empty(Gateway.Answered);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Where_nobody_listens_is_a_failure_of_the_way(string provider)
    {
        var to = NewAddress(provider);
        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            // Bound and not listening: nobody else gets the port meanwhile.
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            var nobody = $"https://127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}/";
            Set("Push:Apns:Address", nobody);
            Set("Push:Fcm:Address", nobody);
            if (provider == PushProviders.WebPush) to = to with { Token = nobody };

            Assert.Equal("ConnectionError", IsLater(provider, await SendAsync(to, NewNotification())).Reason);
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Only_a_cancellation_throws(string provider)
    {
        var to = NewAddress(provider);
        Gateway.Script.For(to.Token, Behaviour.AnswerAfter(TimeSpan.FromHours(1)));
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var sending = Sender(provider).SendAsync(to, NewNotification(), cancel.Token);
        await Gateway.UntilAsync(push => push.Token == to.Token, Patience, Cancellation);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending.WaitAsync(Patience, Cancellation));
    }

    [Fact]
    public async Task Many_notifications_share_few_connections()
    {
        var to = NewAddress(PushProviders.Apns);
        var sender = Sender(PushProviders.Apns);

        await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => sender.SendAsync(to, NewNotification(), Cancellation)));

        Assert.Equal(300, Gateway.Received.Count);
        Assert.True(Gateway.Answered.Select(request => request.Connection).Distinct().Count() <= new SenderOptions().MaxConnections);
    }

    /// <summary>A browser's service says nothing of the others.</summary>
    private static PushResult.TryLater IsLater(string provider, PushResult result)
    {
        var later = Is<PushResult.TryLater>(result);
        Assert.Equal(provider != PushProviders.WebPush, later.IsProviderWide);
        return later;
    }
}
