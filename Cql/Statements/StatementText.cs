namespace WhatsAspire.Cql;

/// <summary>What a client must know of a statement's text: its first word, and whether it is conditional. It looks at words
/// outside of quotes and comments; everything else is the server's business.</summary>
internal readonly record struct StatementText(string Operation, bool IsConditional)
{
    public bool IsRead => Operation == "SELECT";

    public bool IsDataManipulation => Operation is "SELECT" or "INSERT" or "UPDATE" or "DELETE" or "BATCH";

    public static StatementText Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        string? operation = null;
        var isConditional = false;
        var i = 0;
        while (i < text.Length)
        {
            var c = text[i];
            if (c is '\'' or '"')
                i = AfterQuote(text, i);
            else if (StartsComment(text, i, out var end))
                i = end;
            else if (char.IsAsciiLetter(c))
            {
                var start = i;
                while (i < text.Length && (char.IsAsciiLetterOrDigit(text[i]) || text[i] == '_'))
                    i++;
                var word = text.AsSpan(start, i - start);
                operation ??= word.ToString().ToUpperInvariant();
                isConditional |= word.Equals("IF", StringComparison.OrdinalIgnoreCase);
            }
            else
                i++;
        }

        if (operation is "BEGIN")
            operation = "BATCH";
        var statement = new StatementText(operation ?? "", isConditional);
        // 'CREATE TABLE IF NOT EXISTS' is no light-weight transaction.
        return statement with { IsConditional = isConditional && statement.IsDataManipulation && !statement.IsRead };
    }

    private static int AfterQuote(string text, int start)
    {
        var end = text.IndexOf(text[start], start + 1);
        return end < 0 ? text.Length : end + 1;
    }

    private static bool StartsComment(string text, int at, out int end)
    {
        end = at;
        var rest = text.AsSpan(at);
        if (rest.StartsWith("--") || rest.StartsWith("//"))
            end = rest.IndexOf('\n') is var line and >= 0 ? at + line : text.Length;
        else if (rest.StartsWith("/*"))
            end = rest.IndexOf("*/") is var close and >= 0 ? at + close + 2 : text.Length;
        return end > at;
    }
}
