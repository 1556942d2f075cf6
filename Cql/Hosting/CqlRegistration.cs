using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.Cql;

/// <summary>Registers a session in the manner of Aspire's client integrations.</summary>
public static class CqlRegistration
{
    /// <summary>Registers <see cref="ICqlSession"/>.</summary>
    public static IHostApplicationBuilder AddCassandra(this IHostApplicationBuilder builder, string connectionName,
        Action<CqlOptions>? configureSettings = null)
    {
        builder.Services.AddSingleton<ICqlSession, CqlSession>();
        return builder;
    }

    /// <summary>As <see cref="AddCassandra"/>, with the name as the service's key.</summary>
    public static IHostApplicationBuilder AddKeyedCassandra(this IHostApplicationBuilder builder, string name,
        Action<CqlOptions>? configureSettings = null)
    {
        builder.Services.AddKeyedSingleton<ICqlSession, CqlSession>(name);
        return builder;
    }
}
