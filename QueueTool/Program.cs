using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.QueueTool;

if (DeadLetterCommand.Parse(args) is not { } command)
{
    await Console.Error.WriteLineAsync(DeadLetterCommand.Usage);
    return 2;
}

var builder = Host.CreateApplicationBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.AddQueue();
using var host = builder.Build();
return await command.RunAsync(host.Services.GetRequiredService<IEventQueue>(), Console.Out, Console.Error, CancellationToken.None);
