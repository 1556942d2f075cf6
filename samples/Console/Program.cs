using WhatsAspire.Client;
using WhatsAspire.ConsoleChat;

if (Arguments.Parse(args) is not { } arguments)
{
    Console.Error.WriteLine("usage: dotnet run --project samples/Console -- --user NAME [--password WORD] [--server http://localhost:8080]");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
try
{
    using var server = new ChatServer(arguments.Server);
    using var account = await Chat.SignInAsync(server, arguments, stop.Token);
    await using var client = account.CreateClient();
    var chat = new Chat(account, client);
    await client.ConnectAsync(stop.Token);
    await chat.RunAsync(stop.Token);
    return 0;
}
catch (ChatException e)
{
    Console.Error.WriteLine($"{arguments.Server}: {e.Message}");
    return 1;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 0;
}
