using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WhatsAspire.PushGateways;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R30")]
public sealed class SenderRegistrationTests : GatewayTest
{
    [Fact]
    public void There_is_a_sender_for_each_provider_with_credentials()
    {
        Assert.Empty(Providers([]));
        Assert.Equal([PushProviders.Fcm], Providers(new() { ["Push:Fcm:ServiceAccountPath"] = File(GatewayFiles.ServiceAccount) }));
        Assert.Equal(
            [PushProviders.Apns, PushProviders.Fcm, PushProviders.WebPush],
            Services.GetServices<IPushSender>().Select(sender => sender.Provider));
    }

    [Theory]
    [InlineData("Push:Apns:KeyPath", "missing.p8")]
    [InlineData("Push:Apns:KeyPath", "fcm.json")]
    [InlineData("Push:Apns:KeyId", "short")]
    [InlineData("Push:Apns:TeamId", "")]
    [InlineData("Push:Apns:Topic", "")]
    [InlineData("Push:Apns:Address", "http://api.push.apple.com")]
    [InlineData("Push:Fcm:ServiceAccountPath", "vapid.json")]
    [InlineData("Push:Fcm:ServiceAccountPath", "apns.p8")]
    [InlineData("Push:Fcm:Address", "http://fcm.googleapis.com")]
    [InlineData("Push:WebPush:KeyPath", "fcm.json")]
    [InlineData("Push:WebPush:KeyPath", "apns.p8")]
    [InlineData("Push:WebPush:KeyPath", "mismatch.json")]
    [InlineData("Push:WebPush:Subject", "nobody")]
    [InlineData("Push:TrustedRootPath", "vapid.json")]
    [InlineData("Push:TrustedRootPath", "missing.pem")]
    [InlineData("Push:RequestTimeout", "00:00:00")]
    [InlineData("Push:MaxConnections", "0")]
    public async Task Settings_that_cannot_work_are_said_on_start(string name, string value)
    {
        await using var other = await PushGatewayServer.StartAsync(cancellationToken: Cancellation);
        var mismatch = System.Text.Json.Nodes.JsonNode.Parse(Gateway.Credentials.VapidJson)!;
        mismatch["publicKey"] = other.Credentials.VapidPublicKey;
        await System.IO.File.WriteAllTextAsync(File("mismatch.json"), mismatch.ToJsonString(), Cancellation);
        Set(name, name.EndsWith("Path", StringComparison.Ordinal) ? File(value) : value);

        var bad = Assert.Throws<OptionsValidationException>(() => Services.GetRequiredService<IStartupValidator>().Validate());

        Assert.Contains(name.Split(':')[^1], string.Join('\n', bad.Failures), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE", bad.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_settings_that_the_gateways_write_are_good() => Services.GetRequiredService<IStartupValidator>().Validate();

    [Fact]
    public void The_providers_own_addresses_are_the_defaults()
    {
        Assert.Equal("https://api.push.apple.com/", new Apns.ApnsOptions().Address.AbsoluteUri);
        Assert.Equal("https://api.sandbox.push.apple.com/", new Apns.ApnsOptions().SandboxAddress.AbsoluteUri);
        Assert.Equal("https://fcm.googleapis.com/", new Fcm.FcmOptions().Address.AbsoluteUri);
        Assert.False(new WebPush.WebPushOptions().AllowPrivateAddresses);
    }

    [Fact]
    public async Task Requests_are_measured_by_provider_and_outcome()
    {
        var seen = new List<string>();
        var meters = Services.GetRequiredService<IMeterFactory>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "WhatsAspire.PushWorker" && instrument.Meter.Scope == meters) listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
        {
            lock (seen) seen.Add($"{instrument.Name} {instrument.Unit} {string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"))}");
        });
        listener.Start();

        var to = NewAddress(PushProviders.Apns);
        await SendAsync(to, NewNotification());
        foreach (var reason in (string[])["Unregistered", "TooManyRequests", "Shutdown", "BadTopic"])
        {
            Gateway.Script.For(to.Token, Behaviour.Refuse(reason), times: 1);
            await SendAsync(to, NewNotification());
        }
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Sender(PushProviders.Apns).SendAsync(to, NewNotification(), cancelled.Token));

        Assert.Equal(
            ((string[])["accepted", "dead_token", "device_later", "provider_later", "refused", "cancelled"])
                .Select(outcome => $"whatsaspire.push.request.duration s provider=apns outcome={outcome}"),
            seen);
    }

    [Theory]
    [InlineData(PushProviders.Apns)]
    [InlineData(PushProviders.Fcm)]
    [InlineData(PushProviders.WebPush)]
    public async Task Traces_hold_no_token_and_do_not_leave_the_system(string provider)
    {
        var to = NewAddress(provider);
        var ended = new List<Activity>();
        using var parent = new Activity("test").Start();
        using var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (ended)
                    if (activity.TraceId == parent.TraceId) ended.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);

        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));

        lock (ended)
        {
            Assert.Contains(ended, span => span.Source.Name == "WhatsAspire.PushWorker" && span.DisplayName == "push send");
            // The gateway, in this process, would join a trace that it was told of.
            Assert.DoesNotContain(ended, span => span.Kind == ActivityKind.Server || span.Source.Name.StartsWith("System.Net", StringComparison.Ordinal));
            var path = new Uri(new Uri("https://x"), to.Token).AbsolutePath;
            Assert.DoesNotContain(ended, span => span.TagObjects.Any(tag => tag.Value?.ToString()?.Contains(path, StringComparison.Ordinal) ?? false));
        }
    }

    private static string[] Providers(Dictionary<string, string?> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        foreach (var (name, value) in settings) builder.Configuration[name] = value;
        builder.AddPushSenders();
        using var host = builder.Build();
        return [.. host.Services.GetServices<IPushSender>().Select(sender => sender.Provider)];
    }
}
