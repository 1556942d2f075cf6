using System.Globalization;

namespace WhatsAspire.Backplane.Sessions;

/// <summary>Which edge this process is. The id is random for each start, so that nothing that an earlier process
/// registered can be taken for this one's. A process that is no edge has one too, to be named in logs.</summary>
public sealed class EdgeIdentity
{
    /// <summary>Sixteen hexadecimal digits.</summary>
    public string Id { get; } = Random.Shared.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
}
