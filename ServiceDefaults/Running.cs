using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace WhatsAspire.ServiceDefaults;

/// <summary>How a service runs and ends.</summary>
public static class Running
{
    /// <summary>The exit code of a process whose settings can't be used, as of a wrong command line.</summary>
    private const int BadSettings = 2;

    /// <summary>The exit code of a process that can't listen where it should: EX_UNAVAILABLE of sysexits.h.</summary>
    private const int AddressInUse = 69;

    /// <summary>Runs the service until it is asked to end. Settings that can't be used, and an address that
    /// another process listens at, are said on standard error, one to a line, instead of a stack trace.</summary>
    /// <returns>The process's exit code: 0, 2 for bad settings, or 69 for the address.</returns>
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
        catch (IOException taken) when (taken.InnerException is AddressInUseException)
        {
            await Console.Error.WriteLineAsync(taken.Message);
            return AddressInUse;
        }
    }
}
