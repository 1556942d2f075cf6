using System.Net;

namespace WhatsAspire.Cql;

/// <summary>A statement did not succeed.</summary>
public class CqlException : Exception
{
    public CqlException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>The node that was asked, or the last of several; null where none was.</summary>
    public EndPoint? Node { get; init; }

    /// <summary>True: the write may have taken effect, wholly or in part, or may still do: read to find out. False: it has not and
    /// will not. Reads are always false.</summary>
    public bool MayHaveBeenApplied { get; internal set; }

    /// <summary>The code of the server's ERROR message; null where the error is the client's own.</summary>
    public int? ServerCode { get; init; }

    /// <summary>The name under which telemetry counts it.</summary>
    internal string TelemetryName => ServerCode is { } code ? $"0x{code:X4}" : GetType().Name;
}

/// <summary>The answer did not come in the time that the call had. A write may have taken effect.</summary>
public sealed class CqlTimeoutException(string message, Exception? inner = null) : CqlException(message, inner)
{
    /// <summary>What the call had.</summary>
    public TimeSpan Timeout { get; init; }
}

/// <summary>A connection could not be made, or broke.</summary>
public sealed class CqlConnectionException(string message, Exception? inner = null) : CqlException(message, inner);

/// <summary>What came in is not the native protocol, or not as it should be; the connection is given up.</summary>
public sealed class CqlProtocolException(string message, Exception? inner = null) : CqlException(message, inner);

/// <summary>No node could be asked, or every one that was asked failed.</summary>
public sealed class CqlNoHostException(string message, IReadOnlyDictionary<string, Exception> errors)
    : CqlException(message, errors.Values.LastOrDefault())
{
    /// <summary>What each node that was tried answered, by its address.</summary>
    public IReadOnlyDictionary<string, Exception> Errors { get; } = errors;
}

/// <summary>More requests wait for a connection than the session lets wait. Nothing was sent.</summary>
public sealed class CqlBusyException(string message) : CqlException(message);
