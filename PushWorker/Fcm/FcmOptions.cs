using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.Fcm;

/// <summary>How Firebase Cloud Messaging is reached. Without <see cref="ServiceAccountPath"/> it is not used.</summary>
public sealed class FcmOptions
{
    public const string SectionName = "Push:Fcm";

    /// <summary>The key file (JSON) of a service account that may send messages.</summary>
    public string? ServiceAccountPath { get; set; }

    /// <summary>The project; null: the service account's own.</summary>
    public string? ProjectId { get; set; }

    /// <summary>Where messages are sent.</summary>
    public Uri Address { get; set; } = new("https://fcm.googleapis.com");

    /// <summary>Where access tokens are had; null: what the key file says.</summary>
    public Uri? TokenAddress { get; set; }

    internal ServiceAccount LoadAccount() => ServiceAccount.Load(ServiceAccountPath!);
}

internal sealed class FcmOptionsValidator : IValidateOptions<FcmOptions>
{
    public ValidateOptionsResult Validate(string? name, FcmOptions options)
    {
        var failures = new List<string>();
        if (!IsHttps(options.Address)) failures.Add($"{FcmOptions.SectionName}:{nameof(options.Address)} must be an https address");
        if (options.TokenAddress is { } address && !IsHttps(address))
            failures.Add($"{FcmOptions.SectionName}:{nameof(options.TokenAddress)} must be an https address");
        try
        {
            using var account = options.LoadAccount();
        }
        catch (Exception e) when (SettingsFile.IsUnusable(e))
        {
            failures.Add($"{FcmOptions.SectionName}:{nameof(options.ServiceAccountPath)}: {e.Message}");
        }
        return failures.Count > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }

    private static bool IsHttps(Uri address) => address.IsAbsoluteUri && address.Scheme == Uri.UriSchemeHttps;
}

/// <summary>A Google service account, as its key file has it.</summary>
internal sealed class ServiceAccount : IDisposable
{
    private ServiceAccount(string projectId, string email, string keyId, Uri tokenAddress, RSA key)
    {
        ProjectId = projectId;
        Email = email;
        KeyId = keyId;
        TokenAddress = tokenAddress;
        Key = key;
    }

    public string ProjectId { get; }
    public string Email { get; }
    public string KeyId { get; }
    public Uri TokenAddress { get; }
    public RSA Key { get; }

    /// <exception cref="FormatException">The file is not such a key file.</exception>
    public static ServiceAccount Load(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        if (json.RootElement.ValueKind != JsonValueKind.Object || Text("type") != "service_account")
            throw new FormatException("the file is not the key file of a service account");
        if (!Uri.TryCreate(Text("token_uri"), UriKind.Absolute, out var tokenAddress) || tokenAddress.Scheme != Uri.UriSchemeHttps)
            throw new FormatException("the key file's token_uri is not an https address");
        var key = RSA.Create();
        try
        {
            key.ImportFromPem(Text("private_key"));
            return new(Text("project_id"), Text("client_email"), Text("private_key_id"), tokenAddress, key);
        }
        catch
        {
            key.Dispose();
            throw;
        }

        string Text(string name) =>
            json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
                ? text
                : throw new FormatException($"the key file has no {name}");
    }

    public void Dispose() => Key.Dispose();
}
