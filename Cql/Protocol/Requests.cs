namespace WhatsAspire.Cql.Protocol;

/// <summary>A message to the server. Written once per try, so it must write the same each time.</summary>
internal abstract class Request
{
    public abstract Opcode Opcode { get; }

    public virtual IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload => null;

    /// <summary>Writes the body behind the custom payload.</summary>
    public abstract void Write(ByteWriter writer, int version);
}

internal sealed class OptionsRequest : Request
{
    public static readonly OptionsRequest Instance = new();

    public override Opcode Opcode => Opcode.Options;

    public override void Write(ByteWriter writer, int version)
    {
    }
}

internal sealed class StartupRequest(IReadOnlyDictionary<string, string> options) : Request
{
    public override Opcode Opcode => Opcode.Startup;

    public override void Write(ByteWriter writer, int version)
    {
        writer.WriteUInt16(options.Count);
        foreach (var (key, value) in options)
        {
            writer.WriteString(key);
            writer.WriteString(value);
        }
    }
}

internal sealed class AuthResponseRequest(byte[] token) : Request
{
    public override Opcode Opcode => Opcode.AuthResponse;

    public override void Write(ByteWriter writer, int version) => writer.WriteBytes(token);
}

internal sealed class RegisterRequest(params IReadOnlyList<string> events) : Request
{
    public override Opcode Opcode => Opcode.Register;

    public override void Write(ByteWriter writer, int version)
    {
        writer.WriteUInt16(events.Count);
        foreach (var name in events)
            writer.WriteString(name);
    }
}

internal sealed class PrepareRequest(string text) : Request
{
    public override Opcode Opcode => Opcode.Prepare;

    public override void Write(ByteWriter writer, int version)
    {
        writer.WriteLongString(text);
        if (version >= 5)
            writer.WriteInt32(0);
    }
}
