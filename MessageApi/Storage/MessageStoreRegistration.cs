using WhatsAspire.MessageApi.Storage.Cassandra;
using WhatsAspire.MessageApi.Storage.Rocks;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>Chooses the engine of the message store.</summary>
public static class MessageStoreRegistration
{
    /// <summary>Cassandra where there is a connection string of that name, else RocksDB in a folder.</summary>
    public static IHostApplicationBuilder AddMessageStore(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return string.IsNullOrEmpty(builder.Configuration.GetConnectionString("cassandra"))
            ? builder.AddRocksMessageStore()
            : builder.AddCassandraMessageStore("cassandra");
    }
}
