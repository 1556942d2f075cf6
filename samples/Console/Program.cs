using WhatsAspire.Client;
using WhatsAspire.ConsoleChat;

var options = args.Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
var address = options.GetValueOrDefault("--server", "http://localhost:8080");
if (args.Length % 2 != 0 || !options.TryGetValue("--user", out var user) || !Uri.TryCreate(address, UriKind.Absolute, out var uri)
    || options.Keys.Any(key => key is not ("--user" or "--password" or "--server")))
{
    Console.Error.WriteLine("usage: dotnet run --project samples/Console -- --user NAME [--password WORD] [--server http://localhost:8080]");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) => { e.Cancel = true; stop.Cancel(); };
try
{
    using var server = new ChatServer(uri);
    using var account = await Chat.SignInAsync(server, user, options.GetValueOrDefault("--password"), stop.Token);
    await using var client = account.CreateClient();
    await client.ConnectAsync(stop.Token);
    await new Chat(account, client).RunAsync(stop.Token);
    return 0;
}
catch (ChatException e)
{
    Console.Error.WriteLine($"{address}: {e.Message}");
    return 1;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 0;
}
