namespace WhatsAspire.ConsoleChat;

/// <summary>What the command line says.</summary>
internal sealed record Arguments(string User, string? Password, Uri Server)
{
    /// <summary>Null when it can't be understood.</summary>
    public static Arguments? Parse(string[] args)
    {
        string? user = null, password = null;
        var server = new Uri("http://localhost:8080");
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            switch (args[i])
            {
                case "--user": user = args[i + 1]; break;
                case "--password": password = args[i + 1]; break;
                case "--server" when Uri.TryCreate(args[i + 1], UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https": server = uri; break;
                default: return null;
            }
        }

        return user is null || args.Length % 2 != 0 ? null : new(user, password, server);
    }
}
