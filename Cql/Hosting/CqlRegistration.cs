using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace WhatsAspire.Cql;

/// <summary>Registers a session in the manner of Aspire's client integrations.</summary>
public static class CqlRegistration
{
    private const string ReadyTag = "ready";

    /// <summary>Registers <see cref="CqlSession"/> and <see cref="ICqlSession"/> as one singleton, and a health check, tagged
    /// <c>ready</c>, that says why no node can be asked. The session begins to connect when the host starts, which does not wait
    /// for it. Settings come from the section <c>Cassandra:Client</c>, then <c>Cassandra:Client:NAME</c>, then
    /// <c>ConnectionStrings:NAME</c>, then the delegate; they are checked when the host starts.</summary>
    /// <param name="builder">The host's.</param>
    /// <param name="connectionName">Of the connection string.</param>
    /// <param name="configureSettings">Has the last word.</param>
    public static IHostApplicationBuilder AddCassandra(this IHostApplicationBuilder builder, string connectionName,
        Action<CqlOptions>? configureSettings = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddOptions(builder, connectionName, configureSettings);
        builder.Services.AddSingleton(services => MakeSession(services, connectionName));
        builder.Services.AddSingleton<ICqlSession>(services => services.GetRequiredService<CqlSession>());
        AddRest(builder, connectionName, services => services.GetRequiredService<CqlSession>());
        return builder;
    }

    /// <summary>As <see cref="AddCassandra"/>, with the name as the services' key: for hosts that use several clusters.</summary>
    /// <param name="builder">The host's.</param>
    /// <param name="name">Of the connection string, and the services' key.</param>
    /// <param name="configureSettings">Has the last word.</param>
    public static IHostApplicationBuilder AddKeyedCassandra(this IHostApplicationBuilder builder, string name,
        Action<CqlOptions>? configureSettings = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddOptions(builder, name, configureSettings);
        builder.Services.AddKeyedSingleton(name, (services, _) => MakeSession(services, name));
        builder.Services.AddKeyedSingleton<ICqlSession>(name, (services, _) => services.GetRequiredKeyedService<CqlSession>(name));
        AddRest(builder, name, services => services.GetRequiredKeyedService<CqlSession>(name));
        return builder;
    }

    private static void AddOptions(IHostApplicationBuilder builder, string name, Action<CqlOptions>? configureSettings)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var section = builder.Configuration.GetSection(CqlOptions.SectionName);
        builder.Services.AddOptions<CqlOptions>(name)
            .Bind(section)
            .Bind(section.GetSection(name))
            .Configure(options =>
            {
                if (builder.Configuration.GetConnectionString(name) is { Length: > 0 } connectionString)
                    options.Apply(connectionString);
                configureSettings?.Invoke(options);
            })
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<CqlOptions>>(new OptionsCheck(name));
    }

    private static void AddRest(IHostApplicationBuilder builder, string name, Func<IServiceProvider, CqlSession> session)
    {
        builder.Services.AddHostedService(services => new CqlStartup(session(services)));
        builder.Services.AddHealthChecks().Add(new($"cassandra_{name}", services => new CqlHealthCheck(session(services)),
            failureStatus: HealthStatus.Unhealthy, tags: [ReadyTag]));
    }

    private static CqlSession MakeSession(IServiceProvider services, string name) => new(
        services.GetRequiredService<IOptionsMonitor<CqlOptions>>().Get(name),
        services.GetService<ILoggerFactory>(),
        services.GetService<IMeterFactory>(),
        services.GetService<TimeProvider>());

    private sealed class OptionsCheck(string name) : IValidateOptions<CqlOptions>
    {
        public ValidateOptionsResult Validate(string? checkedName, CqlOptions options)
        {
            if (checkedName != name)
                return ValidateOptionsResult.Skip;
            return options.Validate() is { Count: > 0 } wrong
                ? ValidateOptionsResult.Fail(wrong.Select(problem => $"Cassandra '{name}': {problem}"))
                : ValidateOptionsResult.Success;
        }
    }
}

/// <summary>Exists so that the session is made with the host, and is connected when the first request comes; waits for nothing.</summary>
internal sealed class CqlStartup(CqlSession session) : IHostedService
{
    /// <summary>Made by then, and so on its way.</summary>
    public CqlSession Session => session;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
