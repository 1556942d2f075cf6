using System.Globalization;
using System.Runtime.InteropServices;

namespace WhatsAspire.LocalEngines;

/// <summary>A user of this machine.</summary>
/// <param name="Id">The user's number.</param>
/// <param name="Group">The number of his group.</param>
public sealed partial record UnixUser(uint Id, uint Group)
{
    /// <summary>The first of these that the machine has; null when it has none of them.</summary>
    public static UnixUser? Find(params ReadOnlySpan<string> names)
    {
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length >= 4).ToList();
        foreach (var name in names)
        {
            if (users.Find(fields => fields[0] == name) is { } found)
                return new(uint.Parse(found[2], CultureInfo.InvariantCulture), uint.Parse(found[3], CultureInfo.InvariantCulture));
        }

        return null;
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; null when it is something else.</summary>
    public static UnixUser? TryParse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(':');
        return parts.Length == 2
            && uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var group)
            ? new(id, group) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id}:{Group}");

    /// <summary>Makes a file or folder his.</summary>
    public void Own(string path)
    {
        if (ChangeOwner(path, Id, Group) != 0)
            throw new IOException($"{path} could not be given to user {Id}: error {Marshal.GetLastPInvokeError()}.");
    }

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint owner, uint group);
}
