namespace WhatsAspire.AppHost.Topologies;

/// <summary>One engine as the services see it: the same whatever it is.</summary>
/// <param name="Name">What the services know it as.</param>
/// <param name="Connection">How to reach it.</param>
/// <param name="Resource">What to wait for; null where it is no affair of this application.</param>
internal sealed record Engine(string Name, ReferenceExpression Connection, IResourceBuilder<IResource>? Resource = null);

/// <summary>The engines that a topology has laid down. What it has none of is embedded in the services.</summary>
/// <param name="All">The engines.</param>
internal sealed record Engines(params IReadOnlyList<Engine> All)
{
    /// <summary>The folder of what is embedded in MessageApi; null where nothing is.</summary>
    public string? StoragePath { get; init; }

    /// <summary>The file of the embedded queue, which the processes share; null where the queue is an engine.</summary>
    public string? QueuePath { get; init; }

    /// <summary>What encrypts the keys that sign tokens; null where a file's mode protects them.</summary>
    public ReferenceExpression? DirectorySecret { get; init; }

    /// <summary>Whether several replicas of MessageApi can share the message store: an embedded one has one owner.</summary>
    public bool HaveSharedStore => All.Any(engine => engine.Name == ResourceNames.Cassandra);

    /// <summary>Gives an edge its engines, and lets it start once they answer.</summary>
    public void UseInEdge(IResourceBuilder<ProjectResource> edge) => Use(edge, [ResourceNames.Redis, ResourceNames.Kafka]);

    /// <summary>Gives a FanoutWorker or PushWorker its engines, and lets it start once they answer.</summary>
    public void UseInWorker(IResourceBuilder<ProjectResource> worker) => Use(worker, [ResourceNames.Redis, ResourceNames.Kafka]);

    /// <summary>Gives MessageApi its engines, and lets it start once they answer.</summary>
    public void UseInMessageApi(IResourceBuilder<ProjectResource> messageApi)
    {
        Use(messageApi, [ResourceNames.Redis, ResourceNames.Kafka, ResourceNames.Postgres, ResourceNames.Cassandra]);
        if (StoragePath is not null) messageApi.WithEnvironment("Storage__Path", StoragePath);
        if (DirectorySecret is not null) messageApi.WithEnvironment("Directory__KeyEncryptionSecret", DirectorySecret);
    }

    private void Use(IResourceBuilder<ProjectResource> service, ReadOnlySpan<string> names)
    {
        if (QueuePath is not null) service.WithEnvironment("Queue__Path", QueuePath);
        foreach (var engine in All)
        {
            if (!names.Contains(engine.Name)) continue;
            service.WithEnvironment($"ConnectionStrings__{engine.Name}", engine.Connection);
            if (engine.Resource is not null) service.WaitFor(engine.Resource);
        }
    }
}
