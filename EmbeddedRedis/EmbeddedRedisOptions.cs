using Microsoft.Extensions.Options;

namespace WhatsAspire.EmbeddedRedis;

/// <summary>Where the embedded Redis listens and keeps its data.</summary>
internal sealed class EmbeddedRedisOptions
{
    /// <summary>The section of the configuration: <c>EmbeddedRedis__Port</c>, <c>--EmbeddedRedis:Port</c> …</summary>
    public const string SectionName = "EmbeddedRedis";

    /// <summary>TCP port on 127.0.0.1, 1 to 65535.</summary>
    public int Port { get; set; } = 6379;

    /// <summary>The folder of the log and the checkpoints; made if it is not there. One process at a time.</summary>
    public string DataPath { get; set; } = "";

    /// <summary>
    /// How often what was written goes to disk. A kill of the process loses at most this much; Redis' own default is
    /// 1 s. 1 ms to 10 s.
    /// </summary>
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Memory for keys and values, in MiB; the rest goes to disk. 4 to 65536.</summary>
    public int MemoryMiB { get; set; } = 32;
}

/// <inheritdoc/>
internal sealed class EmbeddedRedisOptionsValidator : IValidateOptions<EmbeddedRedisOptions>
{
    public ValidateOptionsResult Validate(string? name, EmbeddedRedisOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        if (options.Port is < 1 or > 65535)
            result.AddError($"is {options.Port}, but should be 1 to 65535.", Key(nameof(options.Port)));
        if (string.IsNullOrWhiteSpace(options.DataPath))
            result.AddError("should name the folder that the data is kept in.", Key(nameof(options.DataPath)));
        if (options.CommitInterval < TimeSpan.FromMilliseconds(1) || options.CommitInterval > TimeSpan.FromSeconds(10))
            result.AddError($"is {options.CommitInterval}, but should be 1 ms to 10 s.", Key(nameof(options.CommitInterval)));
        if (options.MemoryMiB is < 4 or > 65536)
            result.AddError($"is {options.MemoryMiB}, but should be 4 to 65536.", Key(nameof(options.MemoryMiB)));
        return result.Build();
    }

    private static string Key(string property) => $"{EmbeddedRedisOptions.SectionName}:{property}";
}
