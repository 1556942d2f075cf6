using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection.Extensions;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Accounts, tokens, profiles, blocks and devices as a part of a web application.</summary>
public static class UsersRegistration
{
    /// <summary>Adds what the endpoints need, authentication and problem details among it. Needs a directory
    /// (<c>AddSqliteDirectory</c>) and an <see cref="IDeviceRevocations"/>.</summary>
    public static IHostApplicationBuilder AddUsers(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddOptions<UsersOptions>()
            .BindConfiguration(UsersOptions.SectionName)
            .Validate(o => Within(o.AccessTokenLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), "Users:AccessTokenLifetime must be one second to one day.")
            .Validate(o => Within(o.SigningKeyLifetime, TimeSpan.FromHours(1), TimeSpan.FromDays(366)), "Users:SigningKeyLifetime must be one hour to a year.")
            .Validate(o => Within(o.RefreshGrace, TimeSpan.Zero, TimeSpan.FromMinutes(5)), "Users:RefreshGrace must be 0 to five minutes.")
            .Validate(o => o.PasswordIterations is >= 1_000 and <= 10_000_000, "Users:PasswordIterations must be 1,000 to 10,000,000.")
            .Validate(o => o.PasswordConcurrency is >= 0 and <= 1_024, "Users:PasswordConcurrency must be 0 to 1,024.")
            .Validate(o => o.PasswordQueue is >= 0 and <= 100_000, "Users:PasswordQueue must be 0 to 100,000.")
            .Validate(o => o.SignInsPerAddressPerMinute >= 0 && o.SignInsPerUserPerMinute >= 0, "Users:SignInsPer…PerMinute must be 0 (no limit) or more.")
            .ValidateOnStart();

        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddSingleton<UsersMetrics>();
        services.AddSingleton<Passwords>();
        services.AddSingleton<SigningKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<SigningKeys>());
        services.AddSingleton<ISigningKeySource>(provider => new SigningKeySource(
            provider.GetRequiredService<SigningKeys>().GetJsonWebKeySetAsync, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<SigningKeySource>>()));
        services.AddSingleton<DeviceSessions>();
        services.AddSingleton<IDeviceSessions>(provider => provider.GetRequiredService<DeviceSessions>());
        services.AddSingleton<SignIn>();
        services.AddSingleton<SignInLimits>();
        services.AddRateLimiter(limiter => limiter.AddPolicy<string, SignInLimits>(SignInLimits.Policy));
        services.AddAccessTokenAuthentication();
        services.AddProblems();
        services.AddOpenApi(options => options.AddDocumentTransformer<BearerSecurity>());
        services.ConfigureHttpJsonOptions(json =>
        {
            var options = json.SerializerOptions;
            options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            options.PropertyNameCaseInsensitive = false;
            options.NumberHandling = JsonNumberHandling.Strict;
            options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
            options.Converters.Add(new WireTimeConverter());
            options.TypeInfoResolverChain.Insert(0, UsersJson.Default);
        });
        return builder;
    }

    /// <summary>Puts problem details, rate limits, authentication and authorization into the pipeline, in this order, and
    /// maps the endpoints and the OpenAPI document. Other endpoints of the application share all of them.</summary>
    public static WebApplication MapUsers(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseProblems();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapAccounts();
        app.MapProfiles();
        app.MapBlocks();
        app.MapDevices();
        app.MapOpenApi();
        return app;
    }

    private static bool Within(TimeSpan value, TimeSpan least, TimeSpan most) => value >= least && value <= most;
}
