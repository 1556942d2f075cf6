using System.Net;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Turns ERROR messages into exceptions (section 9).</summary>
internal static class ErrorReader
{
    public const int ProtocolErrorCode = 0x000A;
    public const int UnpreparedCode = 0x2500;

    /// <param name="response">An ERROR.</param>
    /// <param name="version">The protocol's.</param>
    /// <param name="node">Who sent it.</param>
    /// <param name="isRead">Whether it was a request that changes nothing: then nothing may have been applied.</param>
    /// <param name="isConditional">Of a conditional request several phases may have run before the error.</param>
    public static CqlException Read(Response response, int version, EndPoint node, bool isRead, bool isConditional)
    {
        var reader = response.Open();
        var code = reader.Int32();
        var message = $"{node}: {reader.String()}";
        var error = Make(ref reader, code, message, version, node);
        error.MayHaveBeenApplied = !isRead && MayHaveBeenApplied(code, isConditional);
        return error;
    }

    /// <summary>Whether the error says that a prepared statement is unknown to the node.</summary>
    public static bool IsUnprepared(Response response)
    {
        if (response.Opcode != Opcode.Error)
            return false;
        var reader = response.Open();
        return reader.Int32() == UnpreparedCode;
    }

    private static bool MayHaveBeenApplied(int code, bool isConditional) => code switch
    {
        // The coordinator decides these before it writes; but of a conditional write the commit can be what was unavailable.
        0x1000 => isConditional,
        ProtocolErrorCode or 0x0100 or 0x1002 or 0x2000 or 0x2100 or 0x2200 or 0x2300 or 0x2400 or UnpreparedCode => false,
        _ => true,
    };

    private static CqlException Make(ref ByteReader reader, int code, string message, int version, EndPoint node)
    {
        switch (code)
        {
            case ProtocolErrorCode:
                return new CqlProtocolException(message) { Node = node, ServerCode = code };
            case 0x0100:
                return new CqlAuthenticationException(message) { Node = node, ServerCode = code };
            case 0x1000:
                return Unavailable(ref reader, message, node);
            case 0x1001:
                return new CqlOverloadedException(message) { Node = node, ServerCode = code };
            case 0x1002:
                return new CqlBootstrappingException(message) { Node = node, ServerCode = code };
            case 0x1003:
                return new CqlTruncateException(message) { Node = node, ServerCode = code };
            case 0x1100:
                return WriteTimeout(ref reader, message, node);
            case 0x1200:
                return ReadTimeout(ref reader, message, node);
            case 0x1300:
                return ReadFailure(ref reader, message, version, node);
            case 0x1400:
                return new CqlFunctionException(message) { Node = node, ServerCode = code, Keyspace = reader.String(), Function = reader.String() };
            case 0x1500:
                return WriteFailure(ref reader, message, version, node);
            case 0x1700:
                return CasWriteUnknown(ref reader, message, node);
            case 0x2000:
                return new CqlSyntaxException(message) { Node = node, ServerCode = code };
            case 0x2100:
                return new CqlUnauthorizedException(message) { Node = node, ServerCode = code };
            case 0x2200:
                return new CqlInvalidQueryException(message) { Node = node, ServerCode = code };
            case 0x2300:
                return new CqlConfigurationException(message) { Node = node, ServerCode = code };
            case 0x2400:
                return new CqlAlreadyExistsException(message) { Node = node, ServerCode = code, Keyspace = reader.String(), Table = reader.String() };
            default:
                return new CqlServerException(message) { Node = node, ServerCode = code };
        }
    }

    private static CqlUnavailableException Unavailable(ref ByteReader reader, string message, EndPoint node)
    {
        var (consistency, required, alive) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32());
        return new($"{message} ({consistency} needs {required} replicas, {alive} are alive)")
        {
            Node = node,
            ServerCode = 0x1000,
            Consistency = consistency,
            Required = required,
            Alive = alive,
        };
    }

    private static CqlWriteTimeoutException WriteTimeout(ref ByteReader reader, string message, EndPoint node)
    {
        var (consistency, received, required, type) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32(), reader.String());
        return new($"{message} ({type} at {consistency}: {received} of {required} replicas confirmed)")
        {
            Node = node,
            ServerCode = 0x1100,
            Consistency = consistency,
            Received = received,
            Required = required,
            WriteType = type,
        };
    }

    private static CqlReadTimeoutException ReadTimeout(ref ByteReader reader, string message, EndPoint node)
    {
        var (consistency, received, required, present) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32(), reader.Byte() != 0);
        return new($"{message} ({consistency}: {received} of {required} replicas answered{(present ? "" : ", none with the data")})")
        {
            Node = node,
            ServerCode = 0x1200,
            Consistency = consistency,
            Received = received,
            Required = required,
            DataPresent = present,
        };
    }

    private static CqlReadFailureException ReadFailure(ref ByteReader reader, string message, int version, EndPoint node)
    {
        var (consistency, received, required) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32());
        var failures = Failures(ref reader, version);
        return new($"{message} ({consistency}: {received} of {required} replicas answered, {failures} failed)")
        {
            Node = node,
            ServerCode = 0x1300,
            Consistency = consistency,
            Received = received,
            Required = required,
            Failures = failures,
            DataPresent = reader.Byte() != 0,
        };
    }

    private static CqlWriteFailureException WriteFailure(ref ByteReader reader, string message, int version, EndPoint node)
    {
        var (consistency, received, required) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32());
        var failures = Failures(ref reader, version);
        var type = reader.String();
        return new($"{message} ({type} at {consistency}: {received} of {required} replicas confirmed, {failures} failed)")
        {
            Node = node,
            ServerCode = 0x1500,
            Consistency = consistency,
            Received = received,
            Required = required,
            Failures = failures,
            WriteType = type,
        };
    }

    private static CqlCasWriteUnknownException CasWriteUnknown(ref ByteReader reader, string message, EndPoint node)
    {
        var (consistency, received, required) = ((CqlConsistency)reader.UInt16(), reader.Int32(), reader.Int32());
        return new($"{message} ({consistency}: {received} of {required} replicas accepted)")
        {
            Node = node,
            ServerCode = 0x1700,
            Consistency = consistency,
            Received = received,
            Required = required,
        };
    }

    /// <summary>Version 4 gives their number, version 5 a map of address and reason.</summary>
    private static int Failures(ref ByteReader reader, int version)
    {
        if (version < 5)
            return reader.Int32();
        var count = reader.Count(leastBytesEach: 7);
        for (var i = 0; i < count; i++)
        {
            reader.Address();
            reader.UInt16();
        }

        return count;
    }
}
