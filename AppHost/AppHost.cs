using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using WhatsAspire.AppHost;
using WhatsAspire.AppHost.Topologies;
using WhatsAspire.LocalEngines;

try
{
    var options = AppHostOptions.Parse(args, Path.Combine(Projects.AppHost.ProjectPath, "..", ".data"));
    DashboardAddresses.Settle();
    var builder = DistributedApplication.CreateBuilder(args);
    using var data = new DataFolder(options.DataPath);
    if (builder.ExecutionContext.IsRunMode)
    {
        data.Take();
        if (!FreePorts.IsFree(options.Port))
            throw new BadOptionException($"Port {options.Port} is in use. Choose another with --port.");
    }

    // It would ask the package registry for newer versions, with a process of its own, at every start.
    builder.Configuration["ASPIRE_VERSION_CHECK_DISABLED"] = "true";

    // What concerns the user is said by StartupReport and Supervision; a missing certificate concerns nobody here.
    builder.Services.AddLogging(logging => logging
        .AddFilter("Microsoft", LogLevel.Error)
        .AddFilter("Aspire.Hosting", LogLevel.Warning)
        .AddFilter("Aspire.Hosting.Dcp.DcpHost", LogLevel.Error));

    var topology = await Topology.ChooseAsync(options.Engines, builder.ExecutionContext.IsPublishMode);
    var engines = await topology.AddEnginesAsync(builder, data);
    var messageApi = builder.AddMessageApi(options.ReplicasOf(ResourceNames.MessageApi), engines, data);
    var chatEdge = builder.AddService<Projects.ChatEdge>(ResourceNames.ChatEdge)
        .WithReplicas(options.ReplicasOf(ResourceNames.ChatEdge))
        .WithEndpoint(ResourceNames.Http, at =>
        {
            at.Port = options.Port;
            at.IsExternal = true;
        })
        .WithEndpoint(ResourceNames.Grpc, at => at.Port = null)
        .WithReadiness()
        .WithSettingsFile(data)
        .WithMessageApi(messageApi);
    engines.UseInEdge(chatEdge);
    var fanoutWorker = builder.AddService<Projects.FanoutWorker>(ResourceNames.FanoutWorker)
        .WithReplicas(options.ReplicasOf(ResourceNames.FanoutWorker))
        .WithReadiness()
        .WithSettingsFile(data)
        .WithMessageApi(messageApi);
    engines.UseInWorker(fanoutWorker);
    var pushWorker = builder.AddService<Projects.PushWorker>(ResourceNames.PushWorker)
        .WithReplicas(options.ReplicasOf(ResourceNames.PushWorker))
        .WithReadiness()
        .WithSettingsFile(data)
        .WithMessageApi(messageApi)
        .WithPushProviders(data);
    engines.UseInWorker(pushWorker);

    if (builder.ExecutionContext.IsRunMode)
    {
        // At the end, wait until the services have ended: they may have something to write.
        builder.Configuration["DcpPublisher:WaitForResourceCleanup"] = "true";
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options).AddSingleton(topology).AddSingleton<LastWords>()
            .AddFirst<StartupReport>().AddFirst<Supervision>().AddFirst<Replicas>();
    }

    await builder.Build().RunAsync();
    return 0;
}
catch (BadOptionException bad)
{
    await Console.Error.WriteLineAsync(bad.NeedsUsage ? $"{bad.Message}\n\n{AppHostOptions.Usage}" : bad.Message);
    return 2;
}
