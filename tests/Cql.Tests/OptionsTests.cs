namespace WhatsAspire.Cql.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void A_connection_string_is_read()
    {
        var options = new CqlOptions();
        options.Apply("Contact Points=127.0.0.1:9043,db.example, [::1]:7;Keyspace=chat;Username=u;Password='p;=';Local Datacenter=dc1;Use Compression=true;Request Timeout=00:00:03;consistency=quorum");
        Assert.Equal(["127.0.0.1:9043", "db.example", "[::1]:7"], options.ContactPoints);
        Assert.Equal(("chat", "u", "p;=", "dc1", true), (options.Keyspace, options.Username, options.Password, options.LocalDatacenter, options.UseCompression));
        Assert.Equal((TimeSpan.FromSeconds(3), CqlConsistency.Quorum), (options.RequestTimeout, options.Consistency));
        Assert.Empty(options.Validate());
    }

    [Fact]
    public void What_a_connection_string_has_too_much_is_named_and_passwords_are_not()
    {
        var unknown = Assert.Throws<ArgumentException>(() => new CqlOptions().Apply("Contact Pionts=a"));
        Assert.Contains("'contact pionts'", unknown.Message, StringComparison.OrdinalIgnoreCase);
        var unreadable = Assert.Throws<ArgumentException>(() => new CqlOptions().Apply("Contact Points=a;Port=secret"));
        Assert.Contains("'port'", unreadable.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secret", unreadable.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        var options = new CqlOptions
        {
            ContactPoints = { "host:99999" },
            PageSize = 0,
            RequestTimeout = TimeSpan.Zero,
            MaxProtocolVersion = 3,
            SerialConsistency = CqlConsistency.One,
            Password = "p",
        };
        Assert.Equal(6, options.Validate().Count);
        Assert.Throws<ArgumentException>(() => new CqlSession(options));
        Assert.Contains("ContactPoints is empty", Assert.Single(new CqlOptions().Validate()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", "a:9042")]
    [InlineData("a:1", "a:1")]
    [InlineData("127.0.0.1", "127.0.0.1:9042")]
    [InlineData("::1", "::1:9042")]
    [InlineData("[::1]:1", "::1:1")]
    [InlineData("[::1]", "::1:9042")]
    [InlineData("a:", null)]
    [InlineData("a:x", null)]
    [InlineData("a:0", null)]
    [InlineData(":1", null)]
    public void Contact_points_are_hosts_with_ports(string text, string? expected) =>
        Assert.Equal(expected, ContactPoint.TryParse(text, 9042, out var point) ? point.ToString() : null);

    [Theory]
    [InlineData("select v from t where k = 'if'", "SELECT", false)]
    [InlineData("  -- if\n /* if */ INSERT INTO t (k) VALUES (?)", "INSERT", false)]
    [InlineData("INSERT INTO t (k) VALUES (?) if NOT EXISTS", "INSERT", true)]
    [InlineData("UPDATE t SET \"if\" = ? WHERE k = ?", "UPDATE", false)]
    [InlineData("update t set v = ? where k = ? IF v = ?", "UPDATE", true)]
    [InlineData("BEGIN BATCH UPDATE t SET v = 1 WHERE k = 1 IF v = 0; APPLY BATCH", "BATCH", true)]
    [InlineData("CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)", "CREATE", false)]
    [InlineData("SELECT 'it''s' FROM t", "SELECT", false)]
    public void The_kind_of_a_statement_is_seen_in_its_text(string text, string operation, bool isConditional)
    {
        var statement = new CqlStatement(text);
        Assert.Equal((operation, isConditional), (statement.Operation, statement.IsConditional));
    }
}
