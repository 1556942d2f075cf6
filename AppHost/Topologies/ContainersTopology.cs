using System.Globalization;
using System.IO.Hashing;
using System.Text;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>The real engines as containers, one of each. Their data are in volumes that are named for the data folder.</summary>
internal static class ContainersTopology
{
    private const string Database = "whatsaspire";

    /// <summary>Adds the engines.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="data">Whose volumes these are; what is kept beside them is kept here.</param>
    public static Engines AddContainerEngines(this IDistributedApplicationBuilder builder, DataFolder data)
    {
        var isRun = builder.ExecutionContext.IsRunMode;
        var ports = isRun ? new KeptPorts(data) : null;
        if (isRun)
        {
            // A volume remembers the password that it was made with.
            foreach (var secret in new[] { ResourceNames.PostgresPassword, ResourceNames.DirectorySecret })
                builder.Configuration[$"Parameters:{secret}"] ??= KeptSecret.ReadOrMake(data.Of(secret));
        }

        var redis = builder.AddRedis(ResourceNames.Redis, ports?.Of(ResourceNames.Redis))
            .WithImageTag("7.4.6")
            .WithDataVolume(Volume(ResourceNames.Redis))
            .WithPersistence(TimeSpan.FromSeconds(10), keysChangedThreshold: 1);
        var password = builder.AddParameter(ResourceNames.PostgresPassword, Generated(), secret: true);
        var server = builder.AddPostgres(ResourceNames.PostgresServer, password: password, port: ports?.Of(ResourceNames.Postgres))
            .WithImageTag("17.6")
            .WithDataVolume(Volume(ResourceNames.Postgres));
        var postgres = server.AddDatabase(ResourceNames.Postgres, Database);
        // These two take long to start, and are the same at the next start: they stay when this process ends.
        var kafka = builder.AddKafka(ResourceNames.Kafka, ports?.Of(ResourceNames.Kafka), Volume(ResourceNames.Kafka))
            .WithLifetime(ContainerLifetime.Persistent);
        var cassandra = builder.AddCassandra(ResourceNames.Cassandra, ports?.Of(ResourceNames.Cassandra), Volume(ResourceNames.Cassandra))
            .WithLifetime(ContainerLifetime.Persistent);

        var directorySecret = builder.AddParameter(ResourceNames.DirectorySecret, Generated(), secret: true);
        return new(
            new Engine(ResourceNames.Redis, redis.Resource.ConnectionStringExpression, redis),
            new Engine(ResourceNames.Kafka, kafka.Resource.ConnectionStringExpression, kafka),
            new Engine(ResourceNames.Postgres, postgres.Resource.ConnectionStringExpression, postgres),
            new Engine(ResourceNames.Cassandra, cassandra.Resource.ConnectionStringExpression, cassandra))
        {
            StoragePath = isRun ? data.Of(ResourceNames.MessageApi) : null,
            DirectorySecret = ReferenceExpression.Create($"{directorySecret}"),
        };

        // Two systems with two data folders have nothing in common.
        string Volume(string engine) => isRun
            ? string.Create(CultureInfo.InvariantCulture, $"whatsaspire-{engine}-{XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(data.FullPath)):x16}")
            : $"whatsaspire-{engine}";
    }

    /// <summary>Letters and digits of which 44 are base64 of 33 bytes.</summary>
    private static GenerateParameterDefault Generated() => new() { MinLength = 44, Special = false };
}
