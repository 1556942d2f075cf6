using System.Globalization;
using Microsoft.Extensions.Configuration;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost;

/// <summary>What push notifications are sent by: the providers that the configuration sets up, or, on a developer's machine
/// without any, gateways of our own that show what would have arrived on which phone.</summary>
internal static class PushProviders
{
    private const string Section = "Push";

    /// <summary>A setting that only somebody has who can send by a provider.</summary>
    private static readonly string[] Credentials =
        [$"{Section}:Apns:KeyPath", $"{Section}:Fcm:ServiceAccountPath", $"{Section}:WebPush:KeyPath", $"{Section}:SettingsPath"];

    /// <summary>Gives the worker the settings below <c>Push:</c>, and gateways to send to where they name no provider.</summary>
    public static IResourceBuilder<ProjectResource> WithPushProviders(this IResourceBuilder<ProjectResource> worker, DataFolder data)
    {
        var builder = worker.ApplicationBuilder;
        foreach (var (setting, value) in builder.Configuration.GetSection(Section).AsEnumerable())
        {
            if (!string.IsNullOrEmpty(value)) worker.WithEnvironment(setting.Replace(":", "__", StringComparison.Ordinal), value);
        }

        if (!builder.ExecutionContext.IsRunMode || Credentials.Any(setting => !string.IsNullOrEmpty(builder.Configuration[setting]))) return worker;

        var folder = data.Of(ResourceNames.PushGateways);
        var gateways = builder.AddService<Projects.PushGateways>(ResourceNames.PushGateways)
            .WithReadiness()
            .WithEnvironment("Gateways__Path", folder);
        // The same ones after a restart: the worker has read them.
        foreach (var port in new[] { "ApnsPort", "ApnsSandboxPort", "FcmPort", "WebPushPort" })
            gateways.WithEnvironment($"Gateways__{port}", FreePorts.Take().ToString(CultureInfo.InvariantCulture));
        return worker.WithEnvironment("Push__SettingsPath", Path.Combine(folder, "push.json")).WaitFor(gateways);
    }
}
