using System.ComponentModel;
using System.Diagnostics;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>Whether containers can be run here.</summary>
internal static class ContainerRuntime
{
    /// <summary>The one that the orchestrator is told to use; unless set, it takes Docker, or else Podman.</summary>
    private const string Chosen = "ASPIRE_CONTAINER_RUNTIME";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Asks the runtimes' servers: a client program alone runs nothing.</summary>
    /// <returns>Whether one answers, and which, or why none does.</returns>
    public static async Task<(bool Answers, string Said)> AskAsync()
    {
        var chosen = Environment.GetEnvironmentVariable(Chosen) ?? Environment.GetEnvironmentVariable($"DOTNET_{Chosen}");
        var problems = new List<string>();
        foreach (var program in string.IsNullOrEmpty(chosen) ? ["docker", "podman"] : new[] { chosen })
        {
            var (version, problem) = await AskAsync(program);
            if (version is not null) return (true, $"{program} {version} answers");
            problems.Add($"{program} {problem}");
        }

        return (false, $"no container runtime answers: {string.Join(", ", problems)}");
    }

    private static async Task<(string? Version, string Problem)> AskAsync(string program)
    {
        var start = new ProcessStartInfo(program, ["version", "--format", "{{.Server.Version}}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            using var late = new CancellationTokenSource(Patience);
            try
            {
                var output = process.StandardOutput.ReadToEndAsync(late.Token);
                var errors = process.StandardError.ReadToEndAsync(late.Token);
                await process.WaitForExitAsync(late.Token);
                await errors;
                var version = (await output).Trim();
                return process.ExitCode == 0 && version.Length > 0 ? (version, "") : (null, "is installed, but its server does not answer");
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                return (null, $"does not answer within {Patience.TotalSeconds} s");
            }
        }
        catch (Win32Exception)
        {
            return (null, "is not installed");
        }
    }
}
