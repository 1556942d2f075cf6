namespace WhatsAspire.Cql.Protocol;

/// <summary>A message from the server, whose body is its own.</summary>
internal readonly record struct Response(Opcode Opcode, EnvelopeFlags Flags, byte[] Body)
{
    /// <summary>Skips what may stand before the message itself (section 4): tracing id, warnings, custom payload.</summary>
    public ByteReader Open(out IReadOnlyList<string> warnings, out IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? customPayload)
    {
        var reader = new ByteReader(Body);
        if ((Flags & EnvelopeFlags.Tracing) != 0)
            reader.Take(16);
        warnings = (Flags & EnvelopeFlags.Warning) != 0 ? reader.StringList() : [];
        customPayload = (Flags & EnvelopeFlags.CustomPayload) != 0 ? reader.BytesMap() : null;
        return reader;
    }

    public ByteReader Open() => Open(out _, out _);
}
