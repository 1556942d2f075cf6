using System.Text.Json;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushGateways;

/// <summary>The files with what is needed to send to the gateways.</summary>
public static class GatewayFiles
{
    public const string ApnsKey = "apns.p8";
    public const string ServiceAccount = "fcm.json";
    public const string VapidKey = "vapid.json";
    public const string Root = "root.pem";

    /// <summary>The settings of a PushWorker that sends here: its setting <c>Push:SettingsPath</c>. It is written last.</summary>
    public const string Settings = "push.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes them to a folder, over what is there. They are readable for the user alone.</summary>
    public static async Task WriteAsync(PushGatewayServer server, string folder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(server);
        folder = Directory.CreateDirectory(folder).FullName;
        await SaveAsync(ApnsKey, server.Credentials.ApnsKeyPem);
        await SaveAsync(ServiceAccount, server.Credentials.ServiceAccountJson);
        await SaveAsync(VapidKey, server.Credentials.VapidJson);
        await SaveAsync(Root, server.RootPem);
        await SaveAsync(Settings, SettingsOf(server, folder).ToJsonString(Indented));

        async Task SaveAsync(string name, string text)
        {
            // Whoever looks sees the old file or the new one, each whole.
            var path = Path.Combine(folder, name);
            var temporary = path + ".new";
            File.Delete(temporary);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            await using (var writer = new StreamWriter(temporary, options)) await writer.WriteAsync(text.AsMemory(), cancellationToken);
            File.Move(temporary, path, overwrite: true);
        }
    }

    private static JsonObject SettingsOf(PushGatewayServer server, string folder) => new()
    {
        ["Push"] = new JsonObject
        {
            ["TrustedRootPath"] = Path.Combine(folder, Root),
            ["Apns"] = new JsonObject
            {
                ["KeyPath"] = Path.Combine(folder, ApnsKey),
                ["KeyId"] = server.Credentials.KeyId,
                ["TeamId"] = server.Credentials.TeamId,
                ["Topic"] = server.Options.Topic,
                ["Address"] = server.ApnsAddress.AbsoluteUri,
                ["SandboxAddress"] = server.ApnsSandboxAddress.AbsoluteUri,
            },
            ["Fcm"] = new JsonObject
            {
                ["ServiceAccountPath"] = Path.Combine(folder, ServiceAccount),
                ["Address"] = server.FcmAddress.AbsoluteUri,
            },
            ["WebPush"] = new JsonObject
            {
                ["KeyPath"] = Path.Combine(folder, VapidKey),
                ["Subject"] = "mailto:push@whatsaspire.example",
                ["AllowPrivateAddresses"] = true,
            },
        },
    };
}
