namespace WhatsAspire.AppHost.Topologies;

/// <summary>The engines that a topology has laid down, as the services see them: the same whatever they are.</summary>
/// <param name="Redis">What to wait for.</param>
/// <param name="RedisConnection">How to reach it.</param>
/// <param name="StoragePath">The folder of MessageApi's embedded stores.</param>
/// <param name="QueuePath">The file of the embedded queue, which the processes share.</param>
internal sealed record Engines(
    IResourceBuilder<IResource> Redis, ReferenceExpression RedisConnection, string StoragePath, string QueuePath)
{
    /// <summary>Gives a service <c>ConnectionStrings:redis</c>, and lets it start once Redis answers.</summary>
    public void UseRedis(IResourceBuilder<ProjectResource> service) => service
        .WithEnvironment($"ConnectionStrings__{ResourceNames.Redis}", RedisConnection)
        .WaitFor(Redis);

    /// <summary>Gives MessageApi its stores.</summary>
    public void UseStores(IResourceBuilder<ProjectResource> service) => service
        .WithEnvironment("Storage__Path", StoragePath);

    /// <summary>Gives a service the queue.</summary>
    public void UseQueue(IResourceBuilder<ProjectResource> service) => service
        .WithEnvironment("Queue__Path", QueuePath);
}
