using System.Net;
using WhatsAspire.Cql.Cluster;

namespace WhatsAspire.Cql.Tests.Cluster;

public sealed class RingTests
{
    /// <summary>Tokens that Cassandra gives; the first five are well known, the others worked out with the definition in another
    /// language. Bytes above 127 at the end show the sign extension.</summary>
    [Theory]
    [InlineData("313233", -7468325962851647638)]
    [InlineData("00FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA9900FF10FA99", 5837342703291459765)]
    [InlineData("FEFEFEFEFEFEFEFE", -8927430733708461935)]
    [InlineData("1010101010101010", 1446172840243228796)]
    [InlineData("39323233333732303336383534373735383037", 7162290910810015547)]
    [InlineData("", 0)]
    [InlineData("F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF", -9084739235461062116)]
    [InlineData("C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6", 4398332801500074197)]
    [InlineData("000102030405060708090A0B0C0D0E0F10", 6662781046685680142)]
    public void Murmur3_gives_cassandras_tokens(string key, long token) => Assert.Equal(token, Murmur3.Token(Convert.FromHexString(key)));

    [Fact]
    public void Simple_replicas_are_the_next_nodes_of_the_ring()
    {
        var map = Map(new() { ["ks"] = new SimpleReplication(2), ["all"] = new SimpleReplication(9) }, ("a", "dc1", "r1", [0]), ("b", "dc1", "r1", [100]), ("c", "dc1", "r1", [200]));
        Assert.Equal("a b", Replicas(map, "ks", -5));
        Assert.Equal("a b", Replicas(map, "ks", 0));
        Assert.Equal("b c", Replicas(map, "ks", 1));
        Assert.Equal("c a", Replicas(map, "ks", 200));
        Assert.Equal("a b", Replicas(map, "ks", 201));
        Assert.Equal("b c a", Replicas(map, "all", 50));
        Assert.Equal("", Replicas(map, "unknown", 50));
    }

    [Fact]
    public void Virtual_nodes_do_not_make_one_node_two_replicas()
    {
        var map = Map(new() { ["ks"] = new SimpleReplication(2) }, ("a", "dc1", "r1", [0, 100, 300]), ("b", "dc1", "r1", [200]));
        Assert.Equal("a b", Replicas(map, "ks", -1));
        Assert.Equal("a b", Replicas(map, "ks", 250));
    }

    [Fact]
    public void Replicas_of_a_data_centre_are_spread_over_its_racks()
    {
        var replication = new TopologyReplication(new Dictionary<string, int> { ["dc1"] = 2, ["dc2"] = 1 });
        var map = Map(new() { ["ks"] = replication },
            ("a", "dc1", "r1", [0]), ("b", "dc1", "r1", [10]), ("x", "dc2", "r1", [20]), ("c", "dc1", "r2", [30]), ("y", "dc2", "r2", [40]));
        Assert.Equal("a x c", Replicas(map, "ks", 0));
        Assert.Equal("b x c", Replicas(map, "ks", 5));
        Assert.Equal("c y a", Replicas(map, "ks", 25));
    }

    [Fact]
    public void Where_there_are_fewer_racks_than_replicas_racks_give_a_second_one()
    {
        var map = Map(new() { ["ks"] = new TopologyReplication(new Dictionary<string, int> { ["dc1"] = 3 }) },
            ("a", "dc1", "r1", [0]), ("b", "dc1", "r1", [10]), ("c", "dc1", "r2", [20]), ("d", "dc1", "r2", [30]));
        Assert.Equal("a c b", Replicas(map, "ks", 0));
        Assert.Equal("d a b", Replicas(map, "ks", 25));
    }

    [Fact]
    public void Strategies_are_read_from_the_schema()
    {
        Assert.Equal(new SimpleReplication(3), Replication.Parse(new Dictionary<string, string> { ["class"] = "org.apache.cassandra.locator.SimpleStrategy", ["replication_factor"] = "3/1" }));
        var topology = Assert.IsType<TopologyReplication>(Replication.Parse(new Dictionary<string, string> { ["class"] = "NetworkTopologyStrategy", ["dc1"] = "3" }));
        Assert.Equal(3, topology.Factors["dc1"]);
        Assert.Null(Replication.Parse(new Dictionary<string, string> { ["class"] = "LocalStrategy" }));
        Assert.Null(Replication.Parse(new Dictionary<string, string>()));
    }

    [Fact]
    public void Waits_double_up_to_the_longest_and_are_never_all_alike()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));
        double[] due = [100, 200, 400, 800, 1000, 1000];
        foreach (var most in due)
            Assert.InRange(backoff.Next().TotalMilliseconds, most / 2, most);
        backoff.Reset();
        Assert.InRange(backoff.Next().TotalMilliseconds, 50, 100);
    }

    private static ClusterMap Map(Dictionary<string, Replication?> keyspaces, params (string Name, string Datacenter, string Rack, long[] Tokens)[] nodes) =>
        new([.. nodes.Select((node, i) => new Node(new(Guid.NewGuid(), new(IPAddress.Loopback, i + 1), node.Name, node.Datacenter, node.Rack, node.Tokens)))],
            "dc1", keyspaces, isRouted: true);

    private static string Replicas(ClusterMap map, string keyspace, long token) =>
        string.Join(' ', map.Replicas(keyspace, token).Select(node => node.Info.HostName));
}
