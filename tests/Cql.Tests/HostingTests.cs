using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WhatsAspire.Cql.Protocol;
using WhatsAspire.Cql.Tests.Sessions;

namespace WhatsAspire.Cql.Tests;

public sealed class HostingTests
{
    [Fact]
    public async Task A_host_gets_a_session_by_its_connection_string()
    {
        await using var server = new FakeServer();
        var builder = Builder(("ConnectionStrings:cassandra", $"Contact Points={server.EndPoint};Keyspace=ks"), ("Cassandra:Client:PageSize", "77"), ("Cassandra:Client:RequestTimeout", "00:00:07"));
        builder.AddCassandra("cassandra", options => options.ConnectionsPerNode = 1);
        using var host = builder.Build();
        await host.StartAsync(Wait.Stop);
        var options = host.Services.GetRequiredService<IOptionsMonitor<CqlOptions>>().Get("cassandra");
        Assert.Equal((77, TimeSpan.FromSeconds(7), 1, "ks"), (options.PageSize, options.RequestTimeout, options.ConnectionsPerNode, options.Keyspace));
        var session = host.Services.GetRequiredService<ICqlSession>();
        Assert.Same(session, host.Services.GetRequiredService<CqlSession>());
        Assert.Equal(3, (await session.RunAsync(SessionTest.Read, 3))[0].GetInt32(0));
        var health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Wait.Stop);
        Assert.Equal(HealthStatus.Healthy, health.Entries["cassandra_cassandra"].Status);
        Assert.Contains("ready", health.Entries["cassandra_cassandra"].Tags);
    }

    [Fact]
    public async Task The_host_starts_without_servers_and_its_health_says_why_it_is_not_ready()
    {
        var builder = Builder(("ConnectionStrings:cassandra", "Contact Points=127.0.0.1:1"));
        builder.AddCassandra("cassandra");
        using var host = builder.Build();
        await host.StartAsync(Wait.Stop);
        var session = host.Services.GetRequiredService<CqlSession>();
        await Assert.ThrowsAsync<CqlNoHostException>(() => session.RunAsync(SessionTest.Read, 1));
        var health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Wait.Stop);
        Assert.Equal(HealthStatus.Unhealthy, health.Status);
        Assert.Contains("127.0.0.1:1", health.Entries["cassandra_cassandra"].Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_clusters_have_keys()
    {
        await using var one = new FakeServer();
        await using var two = new FakeServer();
        var builder = Builder(("ConnectionStrings:one", $"Contact Points={one.EndPoint}"), ("ConnectionStrings:two", $"Contact Points={two.EndPoint}"), ("Cassandra:Client:two:PageSize", "5"));
        builder.AddKeyedCassandra("one").AddKeyedCassandra("two");
        using var host = builder.Build();
        await host.StartAsync(Wait.Stop);
        await host.Services.GetRequiredKeyedService<ICqlSession>("two").RunAsync(SessionTest.Write, 1, 1);
        Assert.Equal((0, 1), (one.Count(Opcode.Execute), two.Count(Opcode.Execute)));
        var options = host.Services.GetRequiredService<IOptionsMonitor<CqlOptions>>();
        Assert.Equal((5000, 5), (options.Get("one").PageSize, options.Get("two").PageSize));
    }

    [Fact]
    public async Task Wrong_settings_stop_the_host_at_its_start()
    {
        var builder = Builder(("Cassandra:Client:PageSize", "0"));
        builder.AddCassandra("cassandra");
        using var host = builder.Build();
        var wrong = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Wait.Stop));
        Assert.Equal(2, wrong.Failures.Count());
    }

    /// <summary>Dashboards use these names.</summary>
    [Fact]
    public async Task Telemetry_has_its_names_and_no_values()
    {
        var instruments = new Dictionary<string, (string? Unit, string? Description)>();
        var durations = new List<KeyValuePair<string, object?>[]>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name != "WhatsAspire.Cql")
                return;
            lock (instruments)
                instruments[instrument.Name] = (instrument.Unit, instrument.Description);
            self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
        {
            lock (instruments)
            {
                if (instrument.Name == "db.client.operation.duration")
                    durations.Add(tags.ToArray());
            }
        });
        listener.Start();
        var activities = new List<Activity>();
        using var activityListener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "WhatsAspire.Cql",
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                lock (activities)
                    activities.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(activityListener);

        await using var server = new FakeServer();
        await using var session = await SessionTest.ConnectAsync(server);
        using var parent = new Activity("test").Start();
        var call = session.RunAsync(SessionTest.Write, 123456789, 987654321);
        Assert.Same(parent, Activity.Current);
        await call;
        await Assert.ThrowsAsync<ArgumentException>(() => session.RunAsync(SessionTest.Write, "123456789", 2));

        Assert.Equal(
            ["cassandra.client.connection.failures", "cassandra.client.nodes.up", "cassandra.client.orphans", "cassandra.client.requests.in_flight",
                "cassandra.client.retries", "cassandra.client.speculative_executions", "db.client.connection.count", "db.client.operation.duration"],
            instruments.Keys.Order());
        Assert.All(instruments.Values, instrument => Assert.False(string.IsNullOrEmpty(instrument.Unit) || string.IsNullOrEmpty(instrument.Description)));
        Assert.Equal("s", instruments["db.client.operation.duration"].Unit);
        var mine = activities.Where(activity => activity.TraceId == parent.TraceId).ToArray();
        Assert.Equal(2, mine.Length);
        Assert.Equal("INSERT ks.t", mine[0].DisplayName);
        var tags = mine[0].TagObjects.ToDictionary(tag => tag.Key, tag => tag.Value);
        Assert.Equal(
            ["cassandra.consistency.level", "cassandra.coordinator.dc", "cassandra.coordinator.id", "cassandra.query.idempotent", "db.collection.name",
                "db.namespace", "db.operation.name", "db.system.name", "server.address", "server.port"],
            tags.Keys.Order());
        Assert.Equal(("cassandra", "INSERT", "ks", server.EndPoint.Port), (tags["db.system.name"], tags["db.operation.name"], tags["db.namespace"], tags["server.port"]));
        Assert.Equal("ArgumentException", mine[1].TagObjects.Single(tag => tag.Key == "error.type").Value);
        Assert.DoesNotContain(mine.SelectMany(activity => activity.TagObjects), tag => $"{tag.Value}".Contains("123456789", StringComparison.Ordinal));
        Assert.Contains(durations, tags => tags.Contains(new("db.operation.name", "INSERT")) && tags.Contains(new("db.system.name", "cassandra")));
    }

    private static HostApplicationBuilder Builder(params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        return builder;
    }
}
