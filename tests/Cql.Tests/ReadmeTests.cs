using WhatsAspire.Cql.Protocol;
using WhatsAspire.Cql.Tests.Sessions;

namespace WhatsAspire.Cql.Tests;

/// <summary>The README's example, word for word, and its table of settings.</summary>
public sealed class ReadmeTests
{
    private static readonly CqlStatement CreateTable = new("CREATE TABLE IF NOT EXISTS log (k uuid, seq bigint, head bigint static, body text, PRIMARY KEY (k, seq))");
    private static readonly CqlStatement Insert = new("INSERT INTO log (k, seq, body) VALUES (?, ?, ?)") { IsIdempotent = true };
    private static readonly CqlStatement Move = new("UPDATE log SET head = ? WHERE k = ? IF head = ?");
    private static readonly CqlStatement Select = new("SELECT seq, body FROM log WHERE k = ?") { PageSize = 500 };

    [Fact]
    public async Task The_example_runs()
    {
        await using var server = new FakeServer { Markers = Markers };
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute || !request.StatementText.StartsWith("SELECT", StringComparison.Ordinal))
                return false;
            await request.RowsAsync([new("seq", CqlType.Bigint), new("body", CqlType.Text)], [[1L, "hello"], [2L, "again"]]);
            return true;
        };
        var options = SessionTest.Options(server);
        var conversation = Guid.NewGuid();
        using var output = new StringWriter();
        await RunAsync(options, conversation, output.WriteLine);
        Assert.Equal(["appended", "1: hello", "2: again"], output.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task The_example_and_the_settings_are_those_of_the_readme()
    {
        var readme = await File.ReadAllTextAsync(Find("Cql/README.md"), Wait.Stop);
        var test = await File.ReadAllTextAsync(Find("tests/Cql.Tests/ReadmeTests.cs"), Wait.Stop);
        foreach (var line in readme.Split("```csharp")[1..].SelectMany(block => block.Split("```")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries)))
            Assert.Contains(line.Trim().Replace("Console.WriteLine", "print", StringComparison.Ordinal), test, StringComparison.Ordinal);
        foreach (var setting in typeof(CqlOptions).GetProperties())
            Assert.Contains($"`{setting.Name}`", readme, StringComparison.Ordinal);
    }

    private static async Task RunAsync(CqlOptions options, Guid conversation, Action<string> print)
    {
        await using var session = await CqlSession.ConnectAsync(options);

        await session.ExecuteAsync(CreateTable.Bind());
        await session.ExecuteAsync(Insert.Bind(conversation, 1L, "hello"));

        var fenced = await session.ExecuteAsync(new CqlBatch([Move.Bind(2L, conversation, 1L), Insert.Bind(conversation, 2L, "again")]));
        print(fenced.IsApplied ? "appended" : "somebody else was first");

        await foreach (var row in session.QueryAsync(Select.Bind(conversation)))
            print($"{row.GetInt64("seq")}: {row.GetString("body")}");
    }

    private static CqlType[] Markers(string text) => text switch
    {
        _ when text == Insert.Text => [CqlType.Uuid, CqlType.Bigint, CqlType.Text],
        _ when text == Move.Text => [CqlType.Bigint, CqlType.Uuid, CqlType.Bigint],
        _ => [CqlType.Uuid],
    };

    private static string Find(string path)
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, path)))
            folder = Path.GetDirectoryName(folder) ?? throw new FileNotFoundException(path);
        return Path.Combine(folder, path);
    }
}
