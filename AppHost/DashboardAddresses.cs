using Microsoft.Extensions.Configuration;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost;

/// <summary>
/// Where the dashboard listens. The launch settings name the usual ports; where there are none, or another AppHost has
/// them, free ones are taken, so that several systems can run on one machine.
/// </summary>
internal static class DashboardAddresses
{
    private const string Pages = "ASPNETCORE_URLS";

    private static readonly string[] Variables =
        [Pages, "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"];

    /// <summary>Settles the addresses, for this process; the builder reads them from the environment.</summary>
    public static void Settle()
    {
        foreach (var variable in Variables)
        {
            var given = Environment.GetEnvironmentVariable(variable);
            if (!Uri.TryCreate(given, UriKind.Absolute, out var address) || !FreePorts.IsFree(address.Port))
                Environment.SetEnvironmentVariable(variable, $"http://localhost:{FreePorts.Take()}");
        }

        // Everything is on this machine's loopback address, and needs no certificate.
        Environment.SetEnvironmentVariable("ASPIRE_ALLOW_UNSECURED_TRANSPORT", "true");
    }

    /// <summary>The address to open, which logs its reader in.</summary>
    public static string LoginUrl(IConfiguration configuration) =>
        $"{configuration[Pages]?.TrimEnd('/')}/login?t={configuration["AppHost:BrowserToken"]}";
}
