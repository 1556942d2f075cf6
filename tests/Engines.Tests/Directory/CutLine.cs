using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.Engines.Tests.Directory;

/// <summary>A wire between a client and a server on this machine that can be cut at a chosen moment.</summary>
internal sealed class CutLine : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ended = new();
    private readonly int _server;
    private readonly Task _accepting;
    private byte[]? _cutAfter;

    public CutLine(int server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How often it was cut.</summary>
    public int Cuts { get; private set; }

    /// <summary>Cuts the connection once, when a client has sent this and the server has answered it: the server knows,
    /// the client does not.</summary>
    public void CutAnswerTo(ReadOnlySpan<byte> sent) => _cutAfter = sent.ToArray();

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Stop();
        await _accepting;
        _ended.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync(_ended.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException && _ended.IsCancellationRequested)
        {
            // It is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _server, _ended.Token);
                var answers = server.GetStream();
                var cut = new TaskCompletionSource();
                var back = CopyBackAsync(answers, client.GetStream(), cut);
                var buffer = new byte[65536];
                for (int read; (read = await client.GetStream().ReadAsync(buffer, _ended.Token)) > 0;)
                {
                    if (_cutAfter is { } mark && buffer.AsSpan(0, read).IndexOf(mark) >= 0)
                    {
                        _cutAfter = null;
                        Cuts++;
                        cut.SetResult();
                    }

                    await answers.WriteAsync(buffer.AsMemory(0, read), _ended.Token);
                    if (cut.Task.IsCompleted)
                    {
                        await back;
                        return;
                    }
                }
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // One of the two is gone.
            }
        }
    }

    private async Task CopyBackAsync(NetworkStream from, NetworkStream to, TaskCompletionSource cut)
    {
        try
        {
            var buffer = new byte[65536];
            for (int read; (read = await from.ReadAsync(buffer, _ended.Token)) > 0;)
            {
                if (cut.Task.IsCompleted) return;
                await to.WriteAsync(buffer.AsMemory(0, read), _ended.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // One of the two is gone.
        }
    }
}
