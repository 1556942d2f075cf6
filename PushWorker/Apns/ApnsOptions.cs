using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.Apns;

/// <summary>How Apple's push service is reached. Without <see cref="KeyPath"/> it is not used.</summary>
public sealed class ApnsOptions
{
    public const string SectionName = "Push:Apns";

    /// <summary>The token signing key that Apple issued: a file <c>.p8</c> (PKCS#8 in PEM).</summary>
    public string? KeyPath { get; set; }

    /// <summary>The key's id, ten characters.</summary>
    public string KeyId { get; set; } = "";

    /// <summary>The developer team's id, ten characters.</summary>
    public string TeamId { get; set; } = "";

    /// <summary>The app's bundle id, for devices that did not name one.</summary>
    public string Topic { get; set; } = "";

    /// <summary>Where tokens of the production environment are sent.</summary>
    public Uri Address { get; set; } = new("https://api.push.apple.com");

    /// <summary>Where tokens of the development environment are sent.</summary>
    public Uri SandboxAddress { get; set; } = new("https://api.sandbox.push.apple.com");

    /// <summary>The sound of a notification; empty: none.</summary>
    [MaxLength(100)]
    public string Sound { get; set; } = "default";

    /// <summary>Whether the app's own extension gets to change a notification before it is shown.</summary>
    public bool IsMutable { get; set; } = true;

    /// <summary>The signing key; the caller disposes it.</summary>
    internal ECDsa LoadKey()
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(KeyPath!));
            if (key.KeySize != 256) throw new CryptographicException("the key is not one of P-256");
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }
}

internal sealed class ApnsOptionsValidator : IValidateOptions<ApnsOptions>
{
    public ValidateOptionsResult Validate(string? name, ApnsOptions options)
    {
        var failures = new List<string>();
        if (options.KeyId.Length != 10) failures.Add($"{ApnsOptions.SectionName}:{nameof(options.KeyId)} must be the ten characters of the key's id");
        if (options.TeamId.Length != 10) failures.Add($"{ApnsOptions.SectionName}:{nameof(options.TeamId)} must be the ten characters of the team's id");
        if (options.Topic.Length == 0) failures.Add($"{ApnsOptions.SectionName}:{nameof(options.Topic)} must be the app's bundle id");
        if (!IsHttps(options.Address)) failures.Add($"{ApnsOptions.SectionName}:{nameof(options.Address)} must be an https address");
        if (!IsHttps(options.SandboxAddress)) failures.Add($"{ApnsOptions.SectionName}:{nameof(options.SandboxAddress)} must be an https address");
        try
        {
            using var key = options.LoadKey();
        }
        catch (Exception e) when (SettingsFile.IsUnusable(e))
        {
            failures.Add($"{ApnsOptions.SectionName}:{nameof(options.KeyPath)}: {e.Message}");
        }
        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }

    private static bool IsHttps(Uri address) => address.IsAbsoluteUri && address.Scheme == Uri.UriSchemeHttps;
}
