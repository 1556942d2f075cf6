using System.Net.WebSockets;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <content>Staying connected.</content>
public sealed partial class ChatClient
{
    private static readonly TimeSpan GoodBye = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(5);
    private Connection? _connection;
    private string? _cursor;
    private Exception? _fault;

    private async Task RunAsync()
    {
        var pump = Task.Run(PumpAsync);
        var raising = Task.Run(RaiseAsync);
        _ = WatchAsync(raising);
        if (_file is not null) _ = WatchAsync(_file.Completion);
        ConnectionEnd? end = null;
        try
        {
            end = await StayConnectedAsync(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed, or a fault that is kept.
        }
        catch (Exception e)
        {
            _fault = e;
        }

        Stop(end?.Reason, end?.Error ?? Volatile.Read(ref _fault));
        await _stop.CancelAsync(); // whoever waits for room in the outbox
        await pump;
    }

    // A failure of a part that nobody waits for ends the client.
    private async Task WatchAsync(Task part)
    {
        try
        {
            await part;
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _fault, e, null);
            lock (_gate)
                if (_disposed) return;
            await _stop.CancelAsync();
        }
    }

    /// <returns>Why not to come back.</returns>
    private async Task<ConnectionEnd> StayConnectedAsync(CancellationToken cancellationToken)
    {
        string? rejected = null;
        var rejections = 0;
        var failures = 0;
        for (var index = 0; ; index++)
        {
            SetStatus(new(ConnectionState.Connecting));
            var started = _time.GetTimestamp();
            var (end, wasWelcome) = await ConnectOnceAsync(_addresses[index % _addresses.Count], rejected, t => rejected = t, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            if (wasWelcome) rejections = 0;
            switch (end.Next)
            {
                case NextStep.Stop:
                    return end;
                case NextStep.NewToken when ++rejections > 1:
                    return end with { Error = new(ErrorCode.Unauthenticated.Word(), $"a fresh token was refused too: {end.Reason}") };
                case NextStep.NewToken:
                    SetStatus(new(ConnectionState.Offline, end.Reason));
                    continue;
            }

            rejected = null;
            if (wasWelcome && _time.GetElapsedTime(started) > Stable) failures = 0;
            SetStatus(new(ConnectionState.Offline, end.Reason));
            await Task.Delay(end.After ?? _options.Backoff(failures++), _time, cancellationToken);
        }
    }

    private async Task<(ConnectionEnd End, bool WasWelcome)> ConnectOnceAsync(
        Uri address, string? rejected, Action<string> used, CancellationToken cancellationToken)
    {
        Connection connection;
        try
        {
            using var timeout = new CancellationTokenSource(_options.ConnectTimeout, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            var token = await _tokens.GetAccessTokenAsync(rejected, either.Token);
            used(token);
            connection = new(await (_options.OpenSocket ?? Connection.OpenAsync)(SocketAddress(address), token, either.Token));
        }
        catch (ChatException e)
        {
            return (e.Retryable ? new(NextStep.Reconnect, e.Message, e.RetryAfter) : new(NextStep.Stop, e.Message, Error: e), false);
        }
        catch (Exception e) when (e is WebSocketException or HttpRequestException or IOException or OperationCanceledException)
        {
            return (ConnectionEnd.OfException(e), false);
        }

        using (connection)
        {
            var end = await RunAsync(connection, cancellationToken);
            return (end, connection.IsWelcome);
        }
    }

    private async Task<ConnectionEnd> RunAsync(Connection connection, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            connection.OpenedAt = connection.ReadAt = connection.WrittenAt = connection.PingedAt = _time.GetTimestamp();
            _inbox.BeginSync();
            _connection = connection;
        }

        Wake();
        var reading = ReadAsync(connection);
        try
        {
            return await reading.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await LeaveAsync(connection, reading);
            throw;
        }
        finally
        {
            lock (_gate)
            {
                _connection = null;
                _pull = null;
                _outbox.ConnectionLost();
                _reads.ConnectionLost();
            }
        }
    }

    private async Task<ConnectionEnd> ReadAsync(Connection connection)
    {
        try
        {
            while (await connection.ReceiveAsync(CancellationToken.None) is { } frame)
            {
                lock (_gate) connection.ReadAt = _time.GetTimestamp();
                Receive(connection, frame.Span);
                if (connection.End is { } leave && !connection.IsLeaving) return leave;
            }

            return connection.End ?? connection.OfClose();
        }
        catch (Exception e) when (e is WebSocketException or IOException or ObjectDisposedException or OperationCanceledException)
        {
            // 'Canceled' is what an aborted socket says.
            return connection.End ?? ConnectionEnd.OfException(e);
        }
    }

    // The app goes: what it was given is acknowledged, and the server told.
    private async Task LeaveAsync(Connection connection, Task reading)
    {
        using var late = new CancellationTokenSource(GoodBye, TimeProvider.System);
        await using var abort = late.Token.Register(connection.Abort);
        try
        {
            await _writing.WaitAsync(late.Token);
            try
            {
                List<AckPosition> positions;
                lock (_gate) positions = connection.IsWelcome ? _inbox.Unacked() : [];
                if (positions.Count > 0) await connection.SendAsync(FrameWriter.Write(new AckFrame { Positions = positions }));
                await connection.CloseAsync(late.Token);
            }
            finally
            {
                _writing.Release();
            }

            await reading.WaitAsync(late.Token);
        }
        catch (Exception e) when (e is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // It was broken, or the server does not answer: what is not acknowledged is told again next time.
            connection.Abort();
        }
    }

    private void Stop(string? reason, Exception? error)
    {
        List<OutgoingMessage> left;
        lock (_gate)
        {
            left = [.. _outbox.All];
            _inbox.Complete(error);
            _reads.Cancel(error);
            _conversations.Cancel(error);
            _stopped = true;
        }

        SetStatus(new(ConnectionState.Stopped, reason ?? error?.Message, error as ChatException));
        foreach (var message in left)
        {
            if (error is null) message.Cancel();
            else message.Fail(error);
        }

        if (error is null)
        {
            _online.TrySetCanceled();
            _completion.TrySetResult();
        }
        else
        {
            _online.TrySetException(error);
            _completion.TrySetException(error);
            // Both are there for who asks.
            _ = _online.Task.Exception;
            _ = _completion.Task.Exception;
        }

        Wake();
    }

    private static Uri SocketAddress(Uri address) =>
        new UriBuilder(new Uri(address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/"), "ws"))
        {
            Scheme = address.Scheme == "https" ? "wss" : "ws",
        }.Uri;
}
