using System.Globalization;

namespace WhatsAspire.PushWorker;

/// <summary>Shortens texts until a payload fits its provider's limit.</summary>
internal static class FittingText
{
    private const string Ellipsis = "…";

    /// <summary>The payload with as much of the body as fits, and where even none of it fits, with as much of the
    /// title.</summary>
    /// <param name="title">Who writes.</param>
    /// <param name="body">What is written.</param>
    /// <param name="limit">Bytes that the payload may have.</param>
    /// <param name="write">Makes the payload of a title and a body. Longer texts must make longer payloads.</param>
    public static byte[] Fit(string title, string body, int limit, Func<string, string, byte[]> write)
    {
        var whole = write(title, body);
        if (whole.Length <= limit) return whole;
        return Longest(body, limit, text => write(title, text))
            ?? Longest(title, limit, text => write(text, ""))
            ?? write("", "");
    }

    /// <summary>Cuts between the characters that a reader sees: a cut within an emoji or an accented letter shows another
    /// one.</summary>
    private static byte[]? Longest(string text, int limit, Func<string, byte[]> write)
    {
        // ends[i]: where the first i characters end.
        var ends = StringInfo.ParseCombiningCharacters(text);
        byte[]? best = null;
        int low = 0, high = ends.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var payload = write(middle == 0 ? "" : text[..ends[middle]].TrimEnd() + Ellipsis);
            if (payload.Length <= limit)
            {
                best = payload;
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }
        return best;
    }
}
