using System.Net;

namespace WhatsAspire.Cql.Protocol;

/// <summary>What the server pushes (section 4.2.6).</summary>
/// <param name="Type">TOPOLOGY_CHANGE, STATUS_CHANGE or SCHEMA_CHANGE.</param>
/// <param name="Change">NEW_NODE, UP, CREATED...</param>
/// <param name="Node">Whom a change of topology or status is about.</param>
/// <param name="Keyspace">Which a change of the schema is about.</param>
internal sealed record ServerEvent(string Type, string Change, IPEndPoint? Node = null, string? Keyspace = null)
{
    public const string Topology = "TOPOLOGY_CHANGE";
    public const string Status = "STATUS_CHANGE";
    public const string Schema = "SCHEMA_CHANGE";

    public static ServerEvent Read(Response response)
    {
        var reader = response.Open();
        var type = reader.String();
        var change = reader.String();
        switch (type)
        {
            case Topology or Status:
                return new(type, change, reader.EndPoint());
            case Schema:
                reader.String();
                return new(type, change, Keyspace: reader.String());
            default:
                return new(type, change);
        }
    }
}
