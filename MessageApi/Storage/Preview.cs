using System.Globalization;
using System.Text;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>The start of a message's text, as a conversation list shows it.</summary>
internal static class Preview
{
    /// <summary>As many whole characters as fit in <see cref="Limits.PreviewLength"/> UTF-16 units. A character is
    /// what a reader takes for one (a grapheme cluster, UAX #29): an emoji of several code points stays whole. Only a
    /// first cluster that is longer than the limit is cut, between code points.</summary>
    /// <param name="utf8">The text; ill-formed parts become U+FFFD.</param>
    public static string Of(ReadOnlySpan<byte> utf8)
    {
        // A UTF-16 unit takes at most three bytes of UTF-8; some more, so that the cluster at the cut is seen whole.
        var window = utf8[..Math.Min(utf8.Length, (Limits.PreviewLength + 64) * 3)];
        var text = Encoding.UTF8.GetString(window);
        if (text.Length <= Limits.PreviewLength) return text;
        var end = 0;
        while (true)
        {
            var length = StringInfo.GetNextTextElementLength(text, end);
            if (end + length > Limits.PreviewLength) break;
            end += length;
        }

        if (end == 0)
            end = char.IsHighSurrogate(text[Limits.PreviewLength - 1]) ? Limits.PreviewLength - 1 : Limits.PreviewLength;
        return text[..end];
    }
}
