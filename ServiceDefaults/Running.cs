using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace WhatsAspire.ServiceDefaults;

/// <summary>How a service runs and ends.</summary>
public static class Running
{
    /// <summary>The exit code of a process whose settings can't be used, as of a wrong command line.</summary>
    private const int BadSettings = 2;

    /// <summary>Runs the service until it is asked to end. Settings that can't be used are said on standard error, one
    /// to a line, instead of a stack trace.</summary>
    /// <returns>The process's exit code: 0, or 2 for bad settings.</returns>
    public static async Task<int> RunServiceAsync(this IHost host)
    {
        try
        {
            await host.RunAsync();
            return 0;
        }
        catch (OptionsValidationException bad)
        {
            foreach (var failure in bad.Failures) await Console.Error.WriteLineAsync(failure);
            return BadSettings;
        }
    }
}
