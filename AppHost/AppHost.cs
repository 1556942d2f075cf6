using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using WhatsAspire.AppHost;
using WhatsAspire.AppHost.Topologies;

try
{
    var options = AppHostOptions.Parse(args, Path.Combine(Projects.AppHost.ProjectPath, "..", ".data"));
    DashboardAddresses.Settle();
    var builder = DistributedApplication.CreateBuilder(args);
    using var data = new DataFolder(options.DataPath);
    if (builder.ExecutionContext.IsRunMode)
    {
        data.Take();
        if (!LocalPorts.IsFree(options.Port))
            throw new BadOptionException($"Port {options.Port} is in use. Choose another with --port.");
    }

    // What concerns the user is said by StartupReport and Supervision; a missing certificate concerns nobody here.
    builder.Services.AddLogging(logging => logging
        .AddFilter("Microsoft", LogLevel.Error)
        .AddFilter("Aspire.Hosting", LogLevel.Warning)
        .AddFilter("Aspire.Hosting.Dcp.DcpHost", LogLevel.Error));

    var engines = builder.AddEmbeddedEngines(data);

    var messageApi = builder.AddService<Projects.MessageApi>(ResourceNames.MessageApi)
        .WithDirectEndpoint(ResourceNames.Http)
        .WithDirectEndpoint(ResourceNames.Grpc)
        .WithReadiness();
    engines.UseRedis(messageApi);
    engines.UseStores(messageApi);
    engines.UseQueue(messageApi);

    var chatEdge = builder.AddService<Projects.ChatEdge>(ResourceNames.ChatEdge)
        .WithReplicas(2)
        .WithEndpoint(ResourceNames.Http, at =>
        {
            at.Port = options.Port;
            at.IsExternal = true;
        })
        .WithEndpoint(ResourceNames.Grpc, at => at.Port = null)
        .WithReadiness()
        .WithReference(messageApi)
        .WaitFor(messageApi);
    engines.UseRedis(chatEdge);
    engines.UseQueue(chatEdge);

    if (builder.ExecutionContext.IsRunMode)
    {
        // At the end, wait until the services have ended: they may have something to write.
        builder.Configuration["DcpPublisher:WaitForResourceCleanup"] = "true";
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options)
            .AddFirst<StartupReport>().AddFirst<Supervision>().AddFirst<Replicas>();
    }

    await builder.Build().RunAsync();
    return 0;
}
catch (BadOptionException bad)
{
    await Console.Error.WriteLineAsync($"{bad.Message}\n\n{AppHostOptions.Usage}");
    return 2;
}
