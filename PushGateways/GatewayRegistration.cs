using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using WhatsAspire.PushGateways.Page;

namespace WhatsAspire.PushGateways;

/// <summary>The settings of the gateways as a program.</summary>
public sealed class GatewaySettings
{
    public const string SectionName = "Gateways";

    /// <summary>The folder that the credentials are written to; it is made if it is not there.</summary>
    [Required]
    public string Path { get; set; } = "";

    /// <summary>The app's bundle id.</summary>
    [Required]
    public string Topic { get; set; } = new PushGatewayOptions().Topic;

    /// <summary>Ports on loopback. 0: any free one.</summary>
    [Range(0, 65535)]
    public int ApnsPort { get; set; }

    [Range(0, 65535)]
    public int ApnsSandboxPort { get; set; }

    [Range(0, 65535)]
    public int FcmPort { get; set; }

    [Range(0, 65535)]
    public int WebPushPort { get; set; }
}

/// <summary>The parts of the program.</summary>
internal static class GatewayRegistration
{
    public static IHostApplicationBuilder AddPushGateways(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<GatewaySettings>().BindConfiguration(GatewaySettings.SectionName).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<GatewayService>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<GatewayService>());
        return builder;
    }

    public static WebApplication MapPushGateways(this WebApplication app)
    {
        app.MapPage();
        return app;
    }
}

/// <summary>Runs the gateways, and writes down how to reach them. That is done before the program's own port opens.</summary>
internal sealed class GatewayService(IOptions<GatewaySettings> settings, TimeProvider time) : IHostedService
{
    private PushGatewayServer? _server;

    public PushGatewayServer Server => _server ?? throw new InvalidOperationException("the gateways are not started");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var value = settings.Value;
        _server = await PushGatewayServer.StartAsync(
            new()
            {
                Time = time,
                Topic = value.Topic,
                ApnsPort = value.ApnsPort,
                ApnsSandboxPort = value.ApnsSandboxPort,
                FcmPort = value.FcmPort,
                WebPushPort = value.WebPushPort,
            },
            cancellationToken);
        await GatewayFiles.WriteAsync(_server, value.Path, cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}
