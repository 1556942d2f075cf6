namespace WhatsAspire.Cql;

/// <summary>The server's internal error: a bug there. Protocol section 9, 0x0000; also other codes that have no class of their own.</summary>
public sealed class CqlServerException(string message) : CqlException(message);

/// <summary>User name or password are wrong or missing, or the server wants another way of authentication.</summary>
public sealed class CqlAuthenticationException(string message) : CqlException(message);

/// <summary>The user may not do this.</summary>
public sealed class CqlUnauthorizedException(string message) : CqlException(message);

/// <summary>The statement can't be parsed.</summary>
public sealed class CqlSyntaxException(string message) : CqlException(message);

/// <summary>The statement can be parsed but makes no sense: an unknown table, a missing key.</summary>
public sealed class CqlInvalidQueryException(string message) : CqlException(message);

/// <summary>The statement is refused because of how the server is set up.</summary>
public sealed class CqlConfigurationException(string message) : CqlException(message);

/// <summary>The keyspace or table is there already.</summary>
public sealed class CqlAlreadyExistsException(string message) : CqlException(message)
{
    public string Keyspace { get; init; } = "";

    /// <summary>Empty where it is about the keyspace.</summary>
    public string Table { get; init; } = "";
}

/// <summary>The coordinator has too much to do.</summary>
public sealed class CqlOverloadedException(string message) : CqlException(message);

/// <summary>The coordinator is still joining the cluster.</summary>
public sealed class CqlBootstrappingException(string message) : CqlException(message);

/// <summary>TRUNCATE failed.</summary>
public sealed class CqlTruncateException(string message) : CqlException(message);

/// <summary>A user-defined function threw.</summary>
public sealed class CqlFunctionException(string message) : CqlException(message)
{
    public string Keyspace { get; init; } = "";

    public string Function { get; init; } = "";
}

/// <summary>Too few replicas are alive for the consistency; the coordinator did not try.</summary>
public sealed class CqlUnavailableException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    /// <summary>Replicas that the consistency needs.</summary>
    public int Required { get; init; }

    /// <summary>Replicas that the coordinator believes alive.</summary>
    public int Alive { get; init; }
}

/// <summary>Too few replicas confirmed the write in the server's time. It may have taken effect, and may still do.</summary>
public sealed class CqlWriteTimeoutException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    /// <summary>Replicas that confirmed.</summary>
    public int Received { get; init; }

    /// <summary>Replicas that the consistency needs.</summary>
    public int Required { get; init; }

    /// <summary>SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG, CAS, VIEW or CDC. BATCH: the batch is logged and will be applied.</summary>
    public string WriteType { get; init; } = "";
}

/// <summary>Replicas refused or failed to write. Others may have written.</summary>
public sealed class CqlWriteFailureException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    public int Received { get; init; }

    public int Required { get; init; }

    /// <summary>How many replicas failed.</summary>
    public int Failures { get; init; }

    /// <summary>See <see cref="CqlWriteTimeoutException.WriteType"/>.</summary>
    public string WriteType { get; init; } = "";
}

/// <summary>A conditional write met others, and its outcome is not known: it may have been accepted, and may still be finished by the next one.</summary>
public sealed class CqlCasWriteUnknownException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    public int Received { get; init; }

    public int Required { get; init; }
}

/// <summary>Too few replicas answered the read in the server's time.</summary>
public sealed class CqlReadTimeoutException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    /// <summary>Replicas that answered.</summary>
    public int Received { get; init; }

    /// <summary>Replicas that the consistency needs.</summary>
    public int Required { get; init; }

    /// <summary>Whether the replica that was asked for the data itself, not for a digest, answered.</summary>
    public bool DataPresent { get; init; }
}

/// <summary>Replicas failed to read, too many tombstones for example.</summary>
public sealed class CqlReadFailureException(string message) : CqlException(message)
{
    public CqlConsistency Consistency { get; init; }

    public int Received { get; init; }

    public int Required { get; init; }

    /// <summary>How many replicas failed.</summary>
    public int Failures { get; init; }

    public bool DataPresent { get; init; }
}
