using System.Diagnostics;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("whatsaspire-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--port abc", "--port is 'abc', but should be a number from 1 to 65535.")]
    [InlineData("--port 65536", "--port is '65536', but should be a number from 1 to 65535.")]
    [InlineData("--port", "--port needs a value.")]
    [InlineData("--prot 8081", "There is no option --prot.")]
    [InlineData("8081", "'8081' is not an option.")]
    [InlineData("--port 8081 8082", "'8082' is not an option.")]
    [InlineData("--engines steam", "--engines is 'steam', which there is not. Allowed: embedded.")]
    [InlineData("--engines containers", "--engines containers is not built yet. Allowed: embedded.")]
    [InlineData("--data=/dev/null/data", "The data folder /dev/null/data can't be used")]
    public async Task A_bad_option_ends_with_2_and_says_what_is_wrong(string arguments, string message)
    {
        var (exitCode, output) = await RunAsync(arguments.Split(' '));

        Assert.Equal(2, exitCode);
        Assert.StartsWith(message, output, StringComparison.Ordinal);
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manifest_is_published_with_every_service()
    {
        var path = Path.Combine(_folder, "manifest.json");

        var (exitCode, output) = await RunAsync(["--publisher", "manifest", "--output-path", path]);

        Assert.True(exitCode == 0, output);
        var resources = JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!["resources"]!.AsObject();
        Assert.Equal(["chat-edge", "message-api", "redis"], resources.Select(resource => resource.Key).Order());
        Assert.Equal(
            "{message-api.bindings.grpc.url}",
            (string?)resources["chat-edge"]!["env"]!["services__message-api__grpc__0"]);
    }

    private async Task<(int ExitCode, string Output)> RunAsync(IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(AppHostProcess.Program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
        return (process.ExitCode, await errors + await output);
    }
}
