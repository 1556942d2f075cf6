namespace WhatsAspire.Backplane.Sessions;

/// <summary>An edge that lives: others reach it at <paramref name="Address"/>, an absolute http address that speaks
/// cleartext HTTP/2 or TLS.</summary>
public sealed record EdgeLease(string EdgeId, Uri Address);
