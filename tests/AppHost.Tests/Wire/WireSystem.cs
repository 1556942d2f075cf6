namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>One system for all tests of the wire, started by the first. They leave it healthy, and each makes users of
/// its own, so that they don't see each other.</summary>
public sealed class WireSystem : IAsyncLifetime
{
    private readonly Dictionary<string, string> _settings = new()
    {
        // Hundreds of users sign up: what their passwords cost is tested elsewhere.
        ["Users__PasswordIterations"] = "1000",
        ["Users__SignInsPerAddressPerMinute"] = "0",
    };

    private AppHostProcess? _system;

    public WireSystem()
    {
    }

    /// <summary>With settings beside those that all have.</summary>
    internal WireSystem(IReadOnlyDictionary<string, string> settings)
    {
        foreach (var (name, value) in settings) _settings[name] = value;
    }

    /// <summary>The processes.</summary>
    public AppHostProcess Processes => _system ?? throw new InvalidOperationException("The system has not been started.");

    /// <summary>The address that clients are given: the proxy in front of both edges.</summary>
    public Uri PublicAddress => Processes.BaseAddress;

    /// <summary>One edge, by itself.</summary>
    public Uri FirstEdge => Edge(0).Address!;

    /// <summary>Another edge, by itself.</summary>
    public Uri OtherEdge => Edge(1).Address!;

    /// <summary>Requests to whatever address they name; it follows no redirects and keeps no cookies.</summary>
    internal HttpClient Http { get; } = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });

    /// <summary>The process of an edge.</summary>
    /// <param name="index">0 or 1.</param>
    public SystemProcess Edge(int index)
    {
        var edges = Processes.Services("chat-edge");
        Assert.Equal(2, edges.Count);
        return edges.OrderBy(edge => edge.Address!.Port).ElementAt(index);
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        AppHostProcess.RequireLinux();
        _system = await AppHostProcess.StartAsync(environment: _settings, cancellationToken: TestContext.Current.CancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_system is not null)
            await _system.DisposeAsync();
    }
}

/// <summary>The tests that share a <see cref="WireSystem"/>.</summary>
[CollectionDefinition(Name)]
public sealed class WireCollection : ICollectionFixture<WireSystem>
{
    /// <summary>For <see cref="CollectionAttribute"/>.</summary>
    public const string Name = "wire";
}

/// <summary>What every test of the wire has at hand.</summary>
[Collection(WireCollection.Name)]
public abstract class WireTest(WireSystem system) : IAsyncDisposable
{
    private readonly List<WireSocket> _sockets = [];

    /// <summary>The running system.</summary>
    protected WireSystem System => system;

    /// <summary>Ends when the test is to end.</summary>
    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A new user with one device.</summary>
    internal Task<WireUser> UserAsync() => WireUser.CreateAsync(system, Cancellation);

    /// <summary>A connection of the device that has said hello and is synced; closed at the end of the test.</summary>
    internal async Task<WireSocket> ConnectAsync(WireUser user, Uri? edge = null, string? cursor = null)
    {
        var socket = await OpenAsync(edge, user.Token);
        await socket.HelloAsync(cursor, Cancellation);
        return socket;
    }

    /// <summary>A connection that has said nothing yet; closed at the end of the test.</summary>
    internal async Task<WireSocket> OpenAsync(Uri? edge = null, string? token = null) =>
        Keep(await WireSocket.ConnectAsync(edge ?? system.FirstEdge, token, Cancellation));

    /// <summary>Sees to it that the connection is closed at the end of the test.</summary>
    internal WireSocket Keep(WireSocket socket)
    {
        _sockets.Add(socket);
        return socket;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets)
            await socket.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
