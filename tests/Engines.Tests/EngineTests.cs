using WhatsAspire.LocalEngines;
using Xunit;

namespace WhatsAspire.Engines.Tests;

/// <summary>What needs no engine: a run in which all are missing must not pass for a run without tests.</summary>
public sealed class EngineTests
{
    [Fact]
    public void An_engine_that_is_missing_is_named_with_how_to_get_it()
    {
        var path = Environment.GetEnvironmentVariable("PG_BIN");
        try
        {
            Environment.SetEnvironmentVariable("PG_BIN", "/nowhere");
            var missing = Assert.Throws<MissingEngineException>(() => new PostgresEngine("/tmp", 1, ""));
            Assert.Equal("PostgreSQL is missing: PG_BIN is /nowhere, where postgres and initdb are not.", missing.Message);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PG_BIN", path);
        }
    }

    [Fact]
    public void A_secret_is_made_once_and_for_its_owner_alone()
    {
        using var folder = new EngineFolder();
        var secret = KeptSecret.ReadOrMake(folder.Of("sub/secret"));
        Assert.Equal(32, Convert.FromBase64String(secret).Length);
        Assert.Equal(secret, KeptSecret.ReadOrMake(folder.Of("sub/secret")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.Of("sub/secret")));
    }
}
