using WhatsAspire.Client;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.ConsoleChat;

/// <summary>Reads lines and shows messages and ticks.</summary>
internal sealed class Chat(ChatAccount account, ChatClient client)
{
    private readonly Dictionary<UserId, string> _names = [];
    private ChatUser? _to;

    /// <summary>Signs in, after making the account when there is none of that name.</summary>
    public static async Task<ChatAccount> SignInAsync(ChatServer server, string user, string? password, CancellationToken cancellationToken)
    {
        password ??= AskPassword(user);
        try
        {
            await server.CreateAccountAsync(user, password, cancellationToken: cancellationToken);
            Console.WriteLine($"made the account {user}");
        }
        catch (ChatException e) when (e.Code == "conflict")
        {
            // The name is taken: by us, if the password is right.
        }

        return await ChatAccount.SignInAsync(server, user, password, "console", cancellationToken: cancellationToken);
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Console.WriteLine("online. '/to NAME' chooses whom to write to, '/quit' leaves.");
        client.StatusChanged += status => Show(ConsoleColor.DarkGray, $"({status.State.ToString().ToLowerInvariant()}{(status.Reason is { } r ? $": {r}" : "")})");
        var showing = ShowMessagesAsync(cancellationToken);
        // A thread of its own: reading a console can't be cancelled.
        var lines = Task.Run(() => ReadLinesAsync(cancellationToken), cancellationToken);
        await await Task.WhenAny(lines, client.Completion).WaitAsync(cancellationToken);
        await client.DisposeAsync();
        await showing;
    }

    private async Task ReadLinesAsync(CancellationToken cancellationToken)
    {
        while (Console.ReadLine() is { } line && line != "/quit")
        {
            try
            {
                if (line.StartsWith("/to ", StringComparison.Ordinal)) Show(ConsoleColor.DarkGray, await ChooseAsync(line[4..].Trim(), cancellationToken));
                else if (_to is null) Show(ConsoleColor.Red, "to whom? say '/to NAME' first");
                else if (line.Length > 0) _ = ShowTicksAsync(await client.SendAsync(_to.UserId, line, cancellationToken: cancellationToken), cancellationToken);
            }
            catch (ChatException e)
            {
                Show(ConsoleColor.Red, e.Message);
            }
        }
    }

    private async Task<string> ChooseAsync(string name, CancellationToken cancellationToken) =>
        (_to = await account.Rest.FindUserAsync(name, cancellationToken)) is null ? $"(there is no user {name})" : $"(to {_to.DisplayName})";

    private static async Task ShowTicksAsync(OutgoingMessage message, CancellationToken cancellationToken)
    {
        try
        {
            await message.WaitForAsync(MessageStatus.Sent, cancellationToken);
            Show(ConsoleColor.Gray, $"  ✓  {message.Text}");
            await message.WaitForAsync(MessageStatus.Delivered, cancellationToken);
            Show(ConsoleColor.Gray, $"  ✓✓ {message.Text}");
            await message.WaitForAsync(MessageStatus.Read, cancellationToken);
            Show(ConsoleColor.Cyan, $"  ✓✓ {message.Text} (read)");
        }
        catch (ChatException e)
        {
            Show(ConsoleColor.Red, $"  ✗ {message.Text}: {e.Message}");
        }
        catch (OperationCanceledException)
        {
            // The chat ends before the ticks came.
        }
    }

    private async Task ShowMessagesAsync(CancellationToken cancellationToken)
    {
        await foreach (var message in client.ReadMessagesAsync(cancellationToken))
        {
            if (message.SenderId == client.UserId || message.Text is null) continue;
            Show(ConsoleColor.Green, $"{await NameAsync(message, cancellationToken)}: {message.Text}");
            // Shown is read; the answer is waited for by nobody but the sender.
            _ = client.MarkReadAsync(message.ConversationId, message.Seq, cancellationToken);
        }
    }

    private async Task<string> NameAsync(MessageFrame message, CancellationToken cancellationToken) =>
        _names.TryGetValue(message.SenderId, out var name) ? name
            : _names[message.SenderId] = (await account.Rest.GetUserAsync(message.SenderId, cancellationToken)).DisplayName;

    private static void Show(ConsoleColor color, string text)
    {
        lock (Console.Out)
        {
            Console.ForegroundColor = color;
            Console.WriteLine(text);
            Console.ResetColor();
        }
    }

    private static string AskPassword(string user)
    {
        Console.Write($"password of {user}: ");
        if (Console.IsInputRedirected) return Console.ReadLine() ?? "";
        var password = "";
        for (ConsoleKeyInfo key; (key = Console.ReadKey(intercept: true)).Key != ConsoleKey.Enter;)
            password = key.Key != ConsoleKey.Backspace ? password + key.KeyChar : password.Length == 0 ? "" : password[..^1];
        Console.WriteLine();
        return password;
    }
}
