using WhatsAspire.LocalEngines;
using Xunit;

namespace WhatsAspire.Engines.Tests;

/// <summary>What these tests need from the machine.</summary>
internal static class Engine
{
    /// <summary>Names of engines, separated by spaces or commas, without which the tests fail instead of being skipped.</summary>
    private const string RequireVariable = "WHATSASPIRE_REQUIRE";

    public const string Redis = "redis";
    public const string Kafka = "kafka";
    public const string Postgres = "postgres";
    public const string Cassandra = "cassandra";

    /// <summary>Makes an engine, or ends the test: skipped with what is missing, failed where the engine is required.</summary>
    public static T Need<T>(string name, Func<T> make)
    {
        try
        {
            return make();
        }
        catch (MissingEngineException missing)
        {
            var required = Environment.GetEnvironmentVariable(RequireVariable) ?? "";
            if (required.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries).Contains(name))
                Assert.Fail($"{RequireVariable} names {name}, but: {missing.Message}");
            Assert.Skip(missing.Message);
            throw;
        }
    }
}
