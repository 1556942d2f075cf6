using Microsoft.Extensions.DependencyInjection.Extensions;
#if CQL_DATASTAX
using WhatsAspire.MessageApi.DataStax;
#else
using WhatsAspire.Cql;
#endif

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Registers the Cassandra store.</summary>
public static class CassandraStoreRegistration
{
    /// <summary>Adds <see cref="IMessageStore"/> on the cluster that the connection string <paramref name="connectionName"/>
    /// names, with the settings of the section <see cref="CassandraStoreOptions.SectionName"/>. The keyspace is made and
    /// brought up to date before the service listens; the client's health check watches the cluster.</summary>
    public static IHostApplicationBuilder AddCassandraMessageStore(this IHostApplicationBuilder builder, string connectionName = "cassandra")
    {
        ArgumentNullException.ThrowIfNull(builder);
#if CQL_DATASTAX
        builder.AddDataStaxCassandra(connectionName);
#else
        builder.AddCassandra(connectionName);
#endif
        builder.Services.AddOptions<CassandraStoreOptions>()
            .BindConfiguration(CassandraStoreOptions.SectionName)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddMetrics();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<CassandraMessageStore>();
        builder.Services.AddSingleton<IMessageStore>(services => services.GetRequiredService<CassandraMessageStore>());
        builder.Services.AddHostedService<CassandraMigration>();
        return builder;
    }
}
