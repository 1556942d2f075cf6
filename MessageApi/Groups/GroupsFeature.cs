namespace WhatsAspire.MessageApi.Groups;

/// <summary>Groups as a part of the application. Needs the message store, the directory, the live events, and what the users'
/// part puts into the pipeline.</summary>
internal static class GroupsFeature
{
    // More than the store takes with one entry can't come or go at once.
    private const int MostMembers = 1_000;

    public static IHostApplicationBuilder AddGroups(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<GroupsOptions>()
            .BindConfiguration(GroupsOptions.SectionName)
            .Validate(o => o.MaxMembers is >= 2 and <= MostMembers, $"Groups:MaxMembers must be 2 to {MostMembers:N0}.")
            .Validate(o => o.MaxInvites is >= 1 and <= 1_000, "Groups:MaxInvites must be 1 to 1,000.")
            .Validate(
                o => o.SweepInterval >= TimeSpan.FromSeconds(1) && o.SweepInterval <= TimeSpan.FromMinutes(1),
                "Groups:SweepInterval must be one second to a minute.")
            .ValidateOnStart();
        services.AddSingleton<GroupLog>();
        services.AddSingleton<GroupMembers>();
        services.AddSingleton<IGroupMembers>(provider => provider.GetRequiredService<GroupMembers>());
        services.AddSingleton<GroupService>();
        services.AddSingleton<InviteService>();
        services.AddSingleton<GroupSweeper>();
        services.AddHostedService(provider => provider.GetRequiredService<GroupSweeper>());
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, GroupsJson.Default));
        return builder;
    }

    public static WebApplication MapGroupEndpoints(this WebApplication app)
    {
        app.MapGroups();
        app.MapInvites();
        return app;
    }
}
