using System.Diagnostics;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("whatsaspire-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--port abc", "--port is 'abc', but should be a number from 1 to 65535.")]
    [InlineData("--port 65536", "--port is '65536', but should be a number from 1 to 65535.")]
    [InlineData("--port", "--port needs a value.")]
    [InlineData("--prot 8081", "There is no option --prot.")]
    [InlineData("8081", "'8081' is not an option.")]
    [InlineData("--port 8081 8082", "'8082' is not an option.")]
    [InlineData("--engines steam", "--engines is 'steam', which there is not. Allowed: containers, embedded, local, external.")]
    [InlineData("--engines", "--engines needs a value.")]
    [InlineData("--replicas chat-edge", "--replicas has 'chat-edge', but should be like chat-edge=3,message-api=2.")]
    [InlineData("--replicas postman=2", "--replicas names 'postman', which is none of chat-edge, message-api, fanout-worker, push-worker.")]
    [InlineData("--replicas chat-edge=0", "--replicas has 'chat-edge=0', but a service has 1 to 16 replicas.")]
    [InlineData("--replicas chat-edge=17", "--replicas has 'chat-edge=17', but a service has 1 to 16 replicas.")]
    [InlineData("--replicas chat-edge=2,chat-edge=3", "--replicas names chat-edge twice.")]
    [InlineData("--engines local --publisher manifest --output-path x", "--engines local are processes of this machine, which can't be published.")]
    [InlineData("--data=/dev/null/data", "The data folder /dev/null/data can't be used")]
    public async Task A_bad_option_ends_with_2_and_says_what_is_wrong(string arguments, string message)
    {
        var (exitCode, output) = await RunAsync(arguments.Split(' '));

        Assert.Equal(2, exitCode);
        Assert.StartsWith(message, output, StringComparison.Ordinal);
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--engines embedded --replicas message-api=2",
        "--replicas message-api=2 needs a message store that replicas can share, which is Cassandra: the embedded one has one owner.")]
    [InlineData("--engines external --ConnectionStrings:redis r --ConnectionStrings:postgres p --ConnectionStrings:cassandra c",
        "--engines external needs the settings ConnectionStrings:kafka, Directory:KeyEncryptionSecret; "
        + "in the environment they are ConnectionStrings__kafka, Directory__KeyEncryptionSecret.")]
    [InlineData("--engines external --ConnectionStrings:redis r --ConnectionStrings:postgres p --ConnectionStrings:cassandra c "
        + "--ConnectionStrings:kafka k --Directory:KeyEncryptionSecret short",
        "Directory:KeyEncryptionSecret must be base64 of at least 32 bytes.")]
    public async Task What_can_not_be_is_said_in_one_line(string arguments, string message)
    {
        var (exitCode, output) = await RunAsync([.. arguments.Split(' '), "--data", _folder]);

        Assert.Equal(2, exitCode);
        Assert.Equal(message, output.Trim());
    }

    [Fact]
    public async Task A_missing_engine_is_named_with_how_to_get_it_before_anything_starts()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Engines run as local processes on Linux.");
        var (exitCode, output) = await RunAsync(
            ["--engines", "local", "--data", _folder], new() { ["PATH"] = _folder, ["PG_BIN"] = _folder });

        Assert.Equal(2, exitCode);
        Assert.Contains(" is missing: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("dashboard:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manifest_of_embedded_engines_is_published_with_every_service()
    {
        var resources = await PublishAsync("--engines", "embedded");
        Assert.Equal(["chat-edge", "fanout-worker", "message-api", "push-worker", "redis"], resources.Select(resource => resource.Key).Order());
        Assert.Equal(
            "{message-api.bindings.grpc.url}",
            (string?)resources["chat-edge"]!["env"]!["services__message-api__grpc__0"]);
    }

    [Fact]
    [Trait("Requirement", "R51")]
    public async Task What_is_published_has_the_real_engines_as_containers_by_default()
    {
        var resources = await PublishAsync();

        Assert.Equal("docker.io/library/redis:7.4.6", (string?)resources["redis"]!["image"]);
        Assert.Equal("docker.io/library/postgres:17.6", (string?)resources["postgres-server"]!["image"]);
        Assert.Equal("apache/kafka:4.3.1", (string?)resources["kafka"]!["image"]);
        Assert.Equal("cassandra:5.0.8", (string?)resources["cassandra"]!["image"]);
        foreach (var (name, port, data) in new[]
        {
            ("redis", 6379, "/data"), ("postgres-server", 5432, "/var/lib/postgresql/data"),
            ("kafka", 9092, "/var/lib/kafka/data"), ("cassandra", 9042, "/var/lib/cassandra"),
        })
        {
            Assert.Equal(port, (int?)resources[name]!["bindings"]!["tcp"]!["targetPort"]);
            Assert.Equal(data, (string?)Assert.Single(resources[name]!["volumes"]!.AsArray())!["target"]);
        }

        var kafka = resources["kafka"]!["env"]!;
        Assert.Equal("broker,controller", (string?)kafka["KAFKA_PROCESS_ROLES"]);
        Assert.Equal("CLIENT://0.0.0.0:9092,INTERNAL://0.0.0.0:9093,CONTROLLER://localhost:9094", (string?)kafka["KAFKA_LISTENERS"]);
        Assert.Equal(
            "CLIENT://{kafka.bindings.tcp.host}:{kafka.bindings.tcp.port},INTERNAL://localhost:9093", (string?)kafka["KAFKA_ADVERTISED_LISTENERS"]);
        Assert.Equal("1", (string?)kafka["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"]);
    }

    [Fact]
    [Trait("Requirement", "R51")]
    public async Task Published_services_are_given_the_engines_that_they_use()
    {
        var resources = await PublishAsync("--engines", "containers");

        var api = resources["message-api"]!["env"]!;
        Assert.StartsWith("{redis.bindings.tcp.host}:{redis.bindings.tcp.port},password={redis-password.value}", (string?)api["ConnectionStrings__redis"], StringComparison.Ordinal);
        Assert.Equal("{postgres-server.connectionString};Database=whatsaspire", (string?)api["ConnectionStrings__postgres"]);
        Assert.Equal("{kafka.bindings.tcp.host}:{kafka.bindings.tcp.port}", (string?)api["ConnectionStrings__kafka"]);
        Assert.Equal("Contact Points={cassandra.bindings.tcp.host}:{cassandra.bindings.tcp.port}", (string?)api["ConnectionStrings__cassandra"]);
        Assert.Equal("{directory-secret.value}", (string?)api["Directory__KeyEncryptionSecret"]);
        Assert.Null(api["Storage__Path"]);
        var edge = resources["chat-edge"]!["env"]!;
        Assert.Equal((string?)api["ConnectionStrings__redis"], (string?)edge["ConnectionStrings__redis"]);
        Assert.Equal((string?)api["ConnectionStrings__kafka"], (string?)edge["ConnectionStrings__kafka"]);
        Assert.Null(edge["ConnectionStrings__postgres"]);
        Assert.Null(edge["Directory__KeyEncryptionSecret"]);
        foreach (var secret in new[] { "postgres-password", "directory-secret" })
            Assert.True((bool?)resources[secret]!["inputs"]!["value"]!["secret"]);
    }

    [Fact]
    [Trait("Requirement", "R51")]
    public async Task Published_for_given_servers_it_asks_for_their_connection_strings()
    {
        var resources = await PublishAsync("--engines", "external");

        foreach (var engine in new[] { "redis", "kafka", "postgres", "cassandra" })
            Assert.Equal($"{{{engine}.connectionString}}", (string?)resources["message-api"]!["env"]![$"ConnectionStrings__{engine}"]);
        Assert.DoesNotContain(resources, resource => ((string?)resource.Value!["type"])!.StartsWith("container", StringComparison.Ordinal));
    }

    private async Task<JsonObject> PublishAsync(params string[] arguments)
    {
        var path = Path.Combine(_folder, "manifest.json");
        var (exitCode, output) = await RunAsync([.. arguments, "--publisher", "manifest", "--output-path", path]);
        Assert.True(exitCode == 0, output);
        return JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!["resources"]!.AsObject();
    }

    private async Task<(int ExitCode, string Output)> RunAsync(IEnumerable<string> arguments, Dictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(AppHostProcess.Program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1));
        return (process.ExitCode, await errors + await output);
    }
}
