using System.Net;
using WhatsAspire.PushWorker.WebPush;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>Endpoints come from clients: none may lead into the network that the worker stands in.</summary>
[Trait("Requirement", "R30")]
public sealed class PushEndpointTests : GatewayTest
{
    [Theory]
    [InlineData("http://push.example.org/x")]
    [InlineData("ftp://push.example.org/x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("not an address")]
    [InlineData("")]
    [InlineData("https://user:word@push.example.org/x")]
    [InlineData("https://127.0.0.1/x")]
    [InlineData("https://127.0.0.1:9042/x")]
    [InlineData("https://2130706433/x")]
    [InlineData("https://0x7f.1/x")]
    [InlineData("https://0.0.0.0/x")]
    [InlineData("https://10.1.2.3/x")]
    [InlineData("https://100.64.0.1/x")]
    [InlineData("https://172.16.0.1/x")]
    [InlineData("https://192.168.1.1/x")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("https://[::1]/x")]
    [InlineData("https://[::]/x")]
    [InlineData("https://[fe80::1]/x")]
    [InlineData("https://[fd00::1]/x")]
    [InlineData("https://[::ffff:127.0.0.1]/x")]
    [InlineData("https://[::127.0.0.1]/x")]
    [InlineData("https://[64:ff9b::7f00:1]/x")]
    [InlineData("https://[2002:7f00:1::]/x")]
    [InlineData("https://localhost/x")]
    [InlineData("https://localhost./x")]
    [InlineData("https://a.localhost/x")]
    [InlineData("https://postgres/x")]
    [InlineData("https://metadata.google.internal/x")]
    public async Task An_endpoint_that_is_not_on_the_internet_makes_the_registration_dead(string endpoint)
    {
        Set("Push:WebPush:AllowPrivateAddresses", "false");
        var to = NewAddress(PushProviders.WebPush) with { Token = endpoint };
        Assert.Equal(new PushResult.DeadToken(null, EndpointForbiddenException.Reason), await SendAsync(to, NewNotification()));
    }

    [Theory]
    [InlineData("https://fcm.googleapis.com/fcm/send/x")]
    [InlineData("https://updates.push.services.mozilla.com/wpush/v2/x")]
    [InlineData("https://web.push.apple.com/x")]
    [InlineData("https://93.184.215.14/x")]
    [InlineData("https://[2606:4700::1111]/x")]
    [InlineData("https://[64:ff9b::5db8:d70e]/x")]
    public void An_endpoint_on_the_internet_may_be_called(string endpoint) =>
        Assert.Null(PushEndpoints.Check(endpoint, allowPrivate: false, out _));

    [Fact]
    public async Task The_gateway_itself_is_not_reached_where_private_addresses_are_not_allowed()
    {
        Set("Push:WebPush:AllowPrivateAddresses", "false");
        Is<PushResult.DeadToken>(await SendAsync(NewAddress(PushProviders.WebPush), NewNotification()));
        Assert.Empty(Gateway.Answered);
    }

    [Fact]
    public async Task A_name_that_leads_to_a_private_address_is_found_out_when_connecting()
    {
        // No text tells what a name leads to: this one stands for one on the internet.
        var host = new DnsEndPoint("localhost", Gateway.WebPushAddress.Port);
        await Assert.ThrowsAsync<EndpointForbiddenException>(() => PushEndpoints.ConnectAsync(host, Cancellation).AsTask());

        var handler = PushChannel.CreateHandler(new());
        handler.UseProxy = false;
        handler.ConnectCallback = (context, cancel) => PushEndpoints.ConnectAsync(context.DnsEndPoint, cancel);
        using var channel = new PushChannel(handler, Patience, Time);
        using var request = new HttpRequestMessage(HttpMethod.Post, new UriBuilder(Gateway.WebPushAddress) { Host = "localhost" }.Uri);
        Assert.Equal(EndpointForbiddenException.Reason, (await channel.SendAsync(request, Cancellation)).Failure);
        Assert.Empty(Gateway.Answered);
    }
}
