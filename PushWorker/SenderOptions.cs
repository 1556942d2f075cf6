using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker;

/// <summary>What the senders of all providers have in common.</summary>
public sealed class SenderOptions
{
    public const string SectionName = "Push";

    /// <summary>A file of root certificates (PEM) that are trusted in place of the system's: for gateways that stand in
    /// for the providers. Null: the system's.</summary>
    public string? TrustedRootPath { get; set; }

    /// <summary>Longest that a connection may take to stand. 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest that one request may take, the connection included. 1 s to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Connections to one address. Each carries many requests at a time. 1 to 1,000.</summary>
    [Range(1, 1000)]
    public int MaxConnections { get; set; } = 16;

    /// <summary>The trusted roots; null: the system's.</summary>
    internal X509Certificate2Collection? LoadTrustedRoots()
    {
        if (string.IsNullOrEmpty(TrustedRootPath)) return null;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(TrustedRootPath);
        return roots;
    }
}

internal sealed class SenderOptionsValidator : IValidateOptions<SenderOptions>
{
    public ValidateOptionsResult Validate(string? name, SenderOptions options)
    {
        try
        {
            return options.LoadTrustedRoots() is { Count: 0 }
                ? ValidateOptionsResult.Fail($"{SenderOptions.SectionName}:{nameof(options.TrustedRootPath)}: no certificate in '{options.TrustedRootPath}'")
                : ValidateOptionsResult.Success;
        }
        catch (Exception e) when (SettingsFile.IsUnusable(e))
        {
            return ValidateOptionsResult.Fail($"{SenderOptions.SectionName}:{nameof(options.TrustedRootPath)}: {e.Message}");
        }
    }
}

/// <summary>Files with credentials.</summary>
internal static class SettingsFile
{
    /// <summary>Whether the exception says that a file is not there, or is not what it should be.</summary>
    public static bool IsUnusable(Exception e) =>
        e is IOException or UnauthorizedAccessException or CryptographicException or FormatException or ArgumentException
            or System.Text.Json.JsonException;
}
