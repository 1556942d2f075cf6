namespace WhatsAspire.Cql;

/// <summary>How many replicas must have answered. The numbers are the native protocol's (section 3, [consistency]).</summary>
public enum CqlConsistency
{
    /// <summary>Writes only: a stored hint is enough.</summary>
    Any = 0x0000,
    One = 0x0001,
    Two = 0x0002,
    Three = 0x0003,
    Quorum = 0x0004,
    All = 0x0005,

    /// <summary>A majority of the replicas of the coordinator's data centre.</summary>
    LocalQuorum = 0x0006,

    /// <summary>A majority in each data centre.</summary>
    EachQuorum = 0x0007,

    /// <summary>For the serial phase of conditional statements, and for reads that must see their outcome; across data centres.</summary>
    Serial = 0x0008,

    /// <summary>As <see cref="Serial"/>, within the coordinator's data centre.</summary>
    LocalSerial = 0x0009,
    LocalOne = 0x000A,
}
