using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.ServiceDefaults;
using Xunit;

namespace WhatsAspire.Users.Tests;

/// <summary>How a service that can't run says so.</summary>
[Trait("Requirement", "R50")]
public sealed class RunningTests
{
    [Fact]
    public async Task An_address_that_somebody_listens_at_is_one_line_and_an_exit_code_of_its_own()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var (exitCode, errors) = await RunAsync(builder => builder.WebHost.UseUrls($"http://127.0.0.1:{port}"));

        Assert.Equal(69, exitCode);
        Assert.Contains($"127.0.0.1:{port}", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_that_can_t_be_are_a_line_each()
    {
        var (exitCode, errors) = await RunAsync(builder => builder.Services.AddOptions<Settings>()
            .Validate(_ => false, "Section:One must be 1 to 3.").Validate(_ => false, "Section:Two is missing.").ValidateOnStart());

        Assert.Equal(2, exitCode);
        Assert.Equal(["Section:One must be 1 to 3.", "Section:Two is missing."], errors);
    }

    private sealed class Settings;

    private static async Task<(int ExitCode, string[] Errors)> RunAsync(Action<WebApplicationBuilder> configure)
    {
        using var folder = new TestFolder();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = folder.Path });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        configure(builder);
        await using var app = builder.Build();
        var (before, errors) = (Console.Error, new StringWriter());
        Console.SetError(errors);
        try
        {
            return (await app.RunServiceAsync(), errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            Console.SetError(before);
        }
    }
}
