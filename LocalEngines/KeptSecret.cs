using System.Security.Cryptography;

namespace WhatsAspire.LocalEngines;

/// <summary>A secret in a file that its owner alone can read.</summary>
public static class KeptSecret
{
    private const int Bytes = 32;

    /// <summary>Reads the secret, or makes one where there is none: 32 random bytes, as base64.</summary>
    public static string ReadOrMake(string file)
    {
        if (File.Exists(file)) return File.ReadAllText(file).Trim();
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(Bytes));
        // Whole or not at all: a half-written secret would be taken for the secret at the next start.
        var half = file + ".new";
        Write(half, secret);
        File.Move(half, file);
        return secret;
    }

    internal static void Write(string file, string secret)
    {
        File.Delete(file);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new StreamWriter(file, options);
        writer.Write(secret);
    }
}
