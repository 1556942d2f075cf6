using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using WhatsAspire.LocalEngines;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.AppHost;

/// <summary>What all processes of ours have in common in the application model.</summary>
internal static class Service
{
    /// <summary>Adds a project that runs as it was built, ends with this process, and is told which environment this is.</summary>
    public static IResourceBuilder<ProjectResource> AddService<TProject>(
        this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var service = builder.AddProject<TProject>(name, options => options.ExcludeLaunchProfile = true)
            .WithEnvironment("DOTNET_ENVIRONMENT", builder.Environment.EnvironmentName)
            // At shutdown the collector may be gone first: a service must not wait for it for the default of 10 s.
            .WithEnvironment("OTEL_EXPORTER_OTLP_TIMEOUT", "1000");
        if (builder.ExecutionContext.IsRunMode)
        {
            service.WithEnvironment(ProcessIdentity.ParentVariable, ProcessIdentity.Current().ToString());
            RunBuiltProgram(service, new TProject().ProjectPath, builder.AppHostDirectory);
        }

        return service;
    }

    /// <summary>Probes each replica at <c>/health/ready</c> of its endpoint <c>http</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithReadiness(this IResourceBuilder<ProjectResource> service)
    {
        var name = $"{service.Resource.Name}-ready";
        var services = service.ApplicationBuilder.Services;
        services.AddKeyedSingleton(name, (provider, _) =>
            new ServiceHealthCheck(service.Resource, provider.GetRequiredService<Replicas>()));
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name, provider => provider.GetRequiredKeyedService<ServiceHealthCheck>(name), failureStatus: null, tags: null));
        return service.WithHealthCheck(name);
    }

    /// <summary>Tells a service which file has the settings that can be changed while it runs. A platform that this is published
    /// to mounts one of its own.</summary>
    public static IResourceBuilder<ProjectResource> WithSettingsFile(this IResourceBuilder<ProjectResource> service, DataFolder data) =>
        service.ApplicationBuilder.ExecutionContext.IsRunMode ? service.WithEnvironment("SettingsFile", data.SettingsFile) : service;

    /// <summary>
    /// Gives an endpoint the same port on every start and no proxy before it, which each request would pass twice.
    /// For services with one replica.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithDirectEndpoint(
        this IResourceBuilder<ProjectResource> service, string endpoint) =>
        service.ApplicationBuilder.ExecutionContext.IsPublishMode ? service : service.WithEndpoint(endpoint, at =>
        {
            at.Port = at.TargetPort = FreePorts.Take();
            at.IsProxied = false;
        });

    /// <summary>
    /// Adds MessageApi with its engines. Each replica is a resource of its own with addresses of its own, and all of them
    /// are given to whoever asks for the service: behind one shared address an edge could not choose a conversation's replica,
    /// nor go to another when one hangs. A platform that this is published to makes its own replicas.
    /// </summary>
    public static IReadOnlyList<IResourceBuilder<ProjectResource>> AddMessageApi(
        this IDistributedApplicationBuilder builder, int replicas, Topologies.Engines engines, DataFolder data)
    {
        if (replicas > 1 && !engines.HaveSharedStore)
        {
            throw new BadOptionException(
                $"--replicas {ResourceNames.MessageApi}={replicas} needs a message store that replicas can share, which is Cassandra: the embedded one has one owner.")
            { NeedsUsage = false };
        }

        var isRun = builder.ExecutionContext.IsRunMode;
        var all = new List<IResourceBuilder<ProjectResource>>();
        for (var i = 1; i <= (isRun ? replicas : 1); i++)
        {
            var replica = builder.AddService<Projects.MessageApi>(i == 1 ? ResourceNames.MessageApi : $"{ResourceNames.MessageApi}-{i}")
                .WithEnvironment("OTEL_SERVICE_NAME", ResourceNames.MessageApi)
                .WithDirectEndpoint(ResourceNames.Http)
                .WithDirectEndpoint(ResourceNames.Grpc)
                .WithReadiness()
                .WithSettingsFile(data);
            if (!isRun) replica.WithReplicas(replicas);
            engines.UseInMessageApi(replica);
            all.Add(replica);
        }

        return all;
    }

    /// <summary>Tells a service where all replicas of MessageApi are, and lets it start once they are ready.</summary>
    public static IResourceBuilder<ProjectResource> WithMessageApi(
        this IResourceBuilder<ProjectResource> service, IReadOnlyList<IResourceBuilder<ProjectResource>> replicas)
    {
        for (var i = 0; i < replicas.Count; i++)
        {
            foreach (var endpoint in new[] { ResourceNames.Http, ResourceNames.Grpc })
                service.WithEnvironment($"services__{ResourceNames.MessageApi}__{endpoint}__{i}", replicas[i].GetEndpoint(endpoint));
            service.WithReferenceRelationship(replicas[i]).WaitFor(replicas[i]);
        }

        return service;
    }

    /// <summary>
    /// Adds a background service of this process that starts before the others. The orchestrator's own ends its start
    /// only when all resources have started: by then a death could have been missed.
    /// </summary>
    public static IServiceCollection AddFirst<T>(this IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.Insert(0, ServiceDescriptor.Singleton<IHostedService>(provider => provider.GetRequiredService<T>()));
        return services;
    }

    /// <summary>
    /// Starts the program itself. The default, <c>dotnet run</c>, keeps a second process of 100 MiB beside each
    /// replica, takes a second longer, and is what a kill would hit. Programs lie where this one lies in its project.
    /// </summary>
    private static void RunBuiltProgram(IResourceBuilder<ProjectResource> service, string projectPath, string appHostDirectory)
    {
        var directory = Path.GetDirectoryName(projectPath)!;
        var output = Path.GetRelativePath(appHostDirectory, AppContext.BaseDirectory);
        var program = Path.GetFullPath(Path.Combine(
            directory, output, $"{nameof(WhatsAspire)}.{Path.GetFileNameWithoutExtension(projectPath)}"));
        if (OperatingSystem.IsWindows())
            program += ".exe";
        if (File.Exists(program))
            service.WithAnnotation(new ExecutableAnnotation { Command = program, WorkingDirectory = directory });
    }
}
