using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Connections;

/// <summary>Makes connections that are ready for requests: TCP, TLS, the version, STARTUP, authentication (section 4.1.1).</summary>
internal sealed class ConnectionFactory(CqlOptions options, CqlMetrics metrics, TimeProvider time)
{
    private const int LowestVersion = 4;
    private const string Lz4Name = "lz4";
    private static readonly string? LibraryVersion = typeof(ConnectionFactory).Assembly.GetName().Version?.ToString(3);

    private volatile int _version = options.MaxProtocolVersion;

    /// <param name="node">Where.</param>
    /// <param name="hostName">The name that its certificate must have, unless the settings say another.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="CqlException">It did not come about; the message says why.</exception>
    public async Task<CqlConnection> ConnectAsync(IPEndPoint node, string hostName, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.ConnectTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var version = _version;
            if (await TryConnectAsync(node, hostName, version, either.Token) is { } connection)
                return connection;
            connection = await TryConnectAsync(node, hostName, LowestVersion, either.Token);
            _version = LowestVersion;
            return connection ?? throw new CqlProtocolException($"{node}: the server speaks neither version {version} nor {LowestVersion} of the protocol.") { Node = node };
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            metrics.ConnectionFailed();
            throw new CqlConnectionException($"{node}: no connection within {options.ConnectTimeout}.") { Node = node };
        }
        catch (Exception failure) when (failure is SocketException or IOException or AuthenticationException)
        {
            metrics.ConnectionFailed();
            throw new CqlConnectionException($"{node}: {failure.Message}", failure) { Node = node };
        }
        catch (CqlException)
        {
            metrics.ConnectionFailed();
            throw;
        }
    }

    /// <returns>Null where the server doesn't know the version, and a lower one is worth a try.</returns>
    private async Task<CqlConnection?> TryConnectAsync(IPEndPoint node, string hostName, int version, CancellationToken cancellationToken)
    {
        var stream = await OpenStreamAsync(node, hostName, cancellationToken);
        var connection = new CqlConnection(stream, node, version, options, metrics, time);
        connection.Start();
        try
        {
            var supported = await connection.SendAsync(OptionsRequest.Instance, cancellationToken);
            if (version > LowestVersion && IsUnknownVersion(supported))
            {
                await connection.DisposeAsync();
                return null;
            }

            var compressed = options.UseCompression && Offers(Expect(connection, supported, Opcode.Supported), Lz4Name);
            connection.SwitchFramingOnReady(compressed);
            var started = await connection.SendAsync(new StartupRequest(StartupOptions(compressed)), cancellationToken);
            if (started.Opcode == Opcode.Authenticate)
                await AuthenticateAsync(connection, cancellationToken);
            else
                Expect(connection, started, Opcode.Ready);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private async Task<Stream> OpenStreamAsync(IPEndPoint node, string hostName, CancellationToken cancellationToken)
    {
        var socket = new Socket(node.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(node, cancellationToken);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (!options.UseTls)
                return stream;
            var secure = new SslStream(stream);
            stream = secure;
            var settings = new SslClientAuthenticationOptions { TargetHost = options.TlsHostName ?? hostName };
            options.ConfigureTls?.Invoke(settings);
            await secure.AuthenticateAsClientAsync(settings, cancellationToken);
            return stream;
        }
        catch
        {
            if (stream is not null)
                await stream.DisposeAsync();
            socket.Dispose();
            throw;
        }
    }

    private Dictionary<string, string> StartupOptions(bool compressed)
    {
        var startup = new Dictionary<string, string>
        {
            ["CQL_VERSION"] = "3.0.0",
            ["DRIVER_NAME"] = CqlTelemetry.SourceName,
            ["DRIVER_VERSION"] = LibraryVersion ?? "",
        };
        if (compressed)
            startup["COMPRESSION"] = Lz4Name;
        if (options.ApplicationName is { } application)
            startup["APPLICATION_NAME"] = application;
        return startup;
    }

    /// <summary>PLAIN (RFC 4616), which is what the password authenticator takes.</summary>
    private async Task AuthenticateAsync(CqlConnection connection, CancellationToken cancellationToken)
    {
        if (options.Username is not { } user)
            throw new CqlAuthenticationException($"{connection.Node}: the server wants a user name, and the settings have none.") { Node = connection.Node };
        var token = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\0{user}\0{options.Password}"));
        var answer = await connection.SendAsync(new AuthResponseRequest(token), cancellationToken);
        if (answer.Opcode == Opcode.AuthChallenge)
            throw new CqlAuthenticationException($"{connection.Node}: the server wants another authentication than by password.") { Node = connection.Node };
        Expect(connection, answer, Opcode.AuthSuccess);
    }

    /// <summary>Also where version 5 is there only as a beta.</summary>
    private static bool IsUnknownVersion(Response response)
    {
        if (response.Opcode != Opcode.Error)
            return false;
        var reader = response.Open();
        return reader.Int32() == ErrorReader.ProtocolErrorCode;
    }

    private static bool Offers(Response supported, string compression)
    {
        var reader = supported.Open();
        return reader.StringMultimap().TryGetValue("COMPRESSION", out var offered) && offered.Contains(compression, StringComparer.OrdinalIgnoreCase);
    }

    private static Response Expect(CqlConnection connection, Response response, Opcode opcode)
    {
        if (response.Opcode == Opcode.Error)
            throw ErrorReader.Read(response, connection.Version, connection.Node, isRead: true, isConditional: false);
        return response.Opcode == opcode
            ? response
            : throw new CqlProtocolException($"{connection.Node}: {response.Opcode} where {opcode} was expected.") { Node = connection.Node };
    }
}
