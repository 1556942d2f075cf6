namespace Bench;

/// <summary>One logged-in client of one chat server. Everything runs on the loop's thread: methods are
/// called there and must not block, and the sink is called there.</summary>
public interface IChatDriver
{
    /// <summary>The number the client was connected under; what it means on the wire is the driver's affair.</summary>
    int User { get; }

    /// <summary>Connects, logs in, and is done when messages to this user would be delivered live.</summary>
    Task ConnectAsync(int user);

    /// <summary>ConnectAsync is done.</summary>
    bool IsReady { get; }

    /// <summary>Sends a text to another user. Later: OnServerAck(id) here, OnDelivered(id) at the receiver,
    /// whose driver answers with a receipt by itself, and OnReceipt(id) here.</summary>
    ValueTask SendAsync(int to, long id, ReadOnlySpan<byte> text);

    /// <summary>Joins a room (made by the first to join), done when this member would get its messages.</summary>
    Task JoinAsync(string room) => throw new NotSupportedException("this driver has no groups");

    /// <summary>Sends a text to a joined room: OnServerAck(id) here, OnDelivered(id) at every member
    /// (at the sender too where the server reflects; that one is not counted).</summary>
    ValueTask SendToGroupAsync(string room, long id, ReadOnlySpan<byte> text) => throw new NotSupportedException();

    /// <summary>Drops the connection; the sink hears OnClosed, and a login under way fails.</summary>
    void Close();
}

/// <summary>Where drivers report.</summary>
public interface IChatSink
{
    void OnServerAck(IChatDriver at, long id);
    void OnDelivered(IChatDriver at, long id);
    void OnReceipt(IChatDriver at, long id);
    void OnClosed(IChatDriver at, string why);
    /// <summary>The server refused or bounced something.</summary>
    void OnError(IChatDriver at, string what);
}

public static class Drivers
{
    public static IChatDriver Create(string kind, Loop loop, Uri url, IChatSink sink) => kind switch
    {
        "xmpp" => new XmppDriver(loop, url, sink),
        "relay" => new RelayDriver(loop, url, sink),
        "whatsaspire" => new WhatsAspireDriver(loop, url, sink),
        _ => throw new ArgumentException($"no driver '{kind}' (xmpp, relay, whatsaspire)"),
    };
}
