using System.Buffers;
using System.Text;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Users;

/// <summary>The rules for what people type. Each gives null, or the refusal that names the member and what is
/// allowed.</summary>
internal static class Check
{
    private static readonly SearchValues<char> UsernameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    public static Error? Username(string? value) =>
        value is null ? Missing("username")
            : value.Length is < 3 or > 32 || value.AsSpan().ContainsAnyExcept(UsernameCharacters)
                ? Error.Invalid("username must be 3 to 32 of the characters a-z, 0-9, '_', '.' and '-'")
                : null;

    /// <summary>A password that is to be set.</summary>
    public static Error? NewPassword(string? value) => Text("password", value, 8, 128);

    /// <summary>A password that is presented: any that may ever have been set.</summary>
    public static Error? Password(string? value) => Text("password", value, 1, 128);

    /// <summary>A name that others see.</summary>
    public static Error? Name(string member, string? value) =>
        Text(member, value, 1, 64)
        ?? (string.IsNullOrWhiteSpace(value) || value.Any(char.IsControl)
            ? Error.Invalid($"{member} must have a visible character and no control characters") : null);

    /// <summary>A UUID, as an id in a body or an address.</summary>
    public static Error? Id(string member, string? value, out Guid id)
    {
        id = default;
        if (value is null) return Missing(member);
        return Guid.TryParseExact(value, "D", out id)
            ? null : Error.Invalid($"{member} must be a UUID such as 6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21");
    }

    public static Error Missing(string member) => Error.Invalid($"{member} is missing");

    /// <summary>A text of so many Unicode code points.</summary>
    public static Error? Text(string member, string? value, int least, int most)
    {
        if (value is null) return Missing(member);
        var length = 0;
        for (var rest = value.AsSpan(); rest.Length > 0; length++)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var consumed) != OperationStatus.Done)
                return Error.Invalid($"{member} holds half of a surrogate pair");
            rest = rest[consumed..];
        }
        return length < least || length > most ? Error.Invalid($"{member} must have {least} to {most} characters") : null;
    }
}
