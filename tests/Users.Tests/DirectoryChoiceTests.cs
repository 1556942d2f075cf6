using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Directory.Sqlite;
using Xunit;

namespace WhatsAspire.Users.Tests;

/// <summary>The configuration chooses the directory's engine, and what it lacks is said before anything is tried.</summary>
[Trait("Requirement", "R51")]
public sealed class DirectoryChoiceTests
{
    private const string Postgres = "Host=127.0.0.1;Port=1;Database=d;Username=u;Password=p";
    private static readonly string Secret = Convert.ToBase64String(new byte[32]);

    [Fact]
    public async Task Without_a_connection_string_it_is_SQLite()
    {
        await using var api = await TestApi.StartAsync();
        Assert.IsType<SqliteDirectory>(api.Services.GetRequiredService<IDirectory>());
    }

    [Fact]
    public async Task SQLite_may_be_asked_for_beside_a_connection_string()
    {
        await using var api = await TestApi.StartAsync(new() { ["ConnectionStrings:postgres"] = Postgres, ["Directory:Engine"] = "sqlite" });
        Assert.IsType<SqliteDirectory>(api.Services.GetRequiredService<IDirectory>());
    }

    [Theory]
    [InlineData("Directory:Engine=oracle", "Directory:Engine must be 'postgres' or 'sqlite', or not set.")]
    [InlineData("Directory:Engine=postgres Directory:KeyEncryptionSecret=SECRET", "ConnectionStrings:postgres must say where PostgreSQL is")]
    [InlineData("ConnectionStrings:postgres=POSTGRES", "Directory:KeyEncryptionSecret must be set with PostgreSQL")]
    [InlineData("ConnectionStrings:postgres=POSTGRES Directory:KeyEncryptionSecret=c2hvcnQ=", "Directory:KeyEncryptionSecret must be base64 of at least 32 bytes.")]
    [InlineData("ConnectionStrings:postgres=POSTGRES Directory:KeyEncryptionSecret=SECRET Directory:Postgres:PoolSize=0", "PoolSize must be between 1 and 1000")]
    [InlineData("ConnectionStrings:postgres=POSTGRES Directory:KeyEncryptionSecret=SECRET Directory:Postgres:CallTimeout=01:00:00", "CallTimeout must be between")]
    public async Task What_is_wrong_stops_the_service_and_is_said(string settings, string message)
    {
        var given = settings.Split(' ').Select(setting => setting.Split('=', 2)).ToDictionary(
            parts => parts[0],
            parts => (string?)parts[1].Replace("SECRET", Secret, StringComparison.Ordinal).Replace("POSTGRES", Postgres, StringComparison.Ordinal));
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApi.StartAsync(given));
        Assert.Contains(refused.Failures, failure => failure.Contains(message, StringComparison.Ordinal));
    }
}
