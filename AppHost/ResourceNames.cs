namespace WhatsAspire.AppHost;

/// <summary>Every name that resources, endpoints and connections have, once.</summary>
internal static class ResourceNames
{
    /// <summary>Sessions, presence, pub/sub; consumers find it as <c>ConnectionStrings:redis</c>.</summary>
    public const string Redis = "redis";

    /// <summary>Events between the services; embedded, a file of this name's folder.</summary>
    public const string Queue = "queue";

    /// <summary>REST and gRPC over the stores.</summary>
    public const string MessageApi = "message-api";

    /// <summary>The public door.</summary>
    public const string ChatEdge = "chat-edge";

    /// <summary>A service's HTTP/1.1 endpoint: REST, sockets, health.</summary>
    public const string Http = "http";

    /// <summary>A service's cleartext HTTP/2 endpoint, for the other services only.</summary>
    public const string Grpc = "grpc";

    /// <summary>An engine's own protocol.</summary>
    public const string Tcp = "tcp";
}
