namespace WhatsAspire.AppHost.Topologies;

/// <summary>Which engines to run on, and why these.</summary>
/// <param name="Name">One of <see cref="Names"/>.</param>
/// <param name="Reason">For the user, to follow the name in brackets.</param>
internal sealed record Topology(string Name, string Reason)
{
    public const string Containers = "containers";
    public const string Embedded = "embedded";
    public const string Local = "local";
    public const string External = "external";

    public static IReadOnlyList<string> Names { get; } = [Containers, Embedded, Local, External];

    /// <summary>Takes what was asked for; else containers where a runtime answers, and embedded engines where none does. What
    /// is published is for another machine, and does not depend on what this one has.</summary>
    public static async Task<Topology> ChooseAsync(string? asked, bool isPublished)
    {
        if (asked is not null) return new(asked, "asked for");
        if (isPublished) return new(Containers, "what is published runs elsewhere");
        var (answers, said) = await ContainerRuntime.AskAsync();
        return answers ? new(Containers, said) : new(Embedded, $"{said}; nothing needs to be installed for them");
    }

    /// <summary>Lays the engines down.</summary>
    /// <exception cref="BadOptionException">They can't be had; the message says why.</exception>
    public async Task<Engines> AddEnginesAsync(IDistributedApplicationBuilder builder, DataFolder data) => Name switch
    {
        Containers => builder.AddContainerEngines(data),
        Local => await builder.AddLocalEnginesAsync(data),
        External => builder.AddExternalEngines(data),
        _ => builder.AddEmbeddedEngines(data),
    };
}
