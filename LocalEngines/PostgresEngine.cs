using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;

namespace WhatsAspire.LocalEngines;

/// <summary>One PostgreSQL server on 127.0.0.1, with one user, a password, and one database. Everything that it confirms
/// is on disk. PostgreSQL refuses to run as root: started by root it runs as the user <c>postgres</c>, or as
/// <c>nobody</c> where there is none, who then owns the folder of the data.</summary>
[SupportedOSPlatform("linux")]
public sealed class PostgresEngine : ILocalEngine
{
    private const string BinariesVariable = "PG_BIN";
    private const string User = "whatsaspire";
    private const string Database = "whatsaspire";
    private static readonly string[] Needed = ["postgres", "initdb"];

    private readonly string _binaries;
    private readonly string _password;
    private readonly UnixUser? _runAs;

    /// <param name="folder">Its folder; made if it is not there.</param>
    /// <param name="port">The TCP port on 127.0.0.1.</param>
    /// <param name="password">The one that the data were made with, if there are any.</param>
    /// <exception cref="MissingEngineException">The programs are not in <c>PG_BIN</c>; or, where that is not set, neither
    /// in <c>PATH</c> nor where Debian's packages put them.</exception>
    public PostgresEngine(string folder, int port, string password)
    {
        _binaries = Find();
        (Folder, Port, _password) = (Path.GetFullPath(folder), port, password);
        if (Environment.IsPrivilegedProcess)
        {
            _runAs = UnixUser.Find("postgres", "nobody") ?? throw new MissingEngineException(
                "PostgreSQL does not run as root, and this machine has neither a user 'postgres' nor 'nobody' to run it as.");
        }
    }

    public string Name => "postgres";

    public string Folder { get; }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>For Npgsql.</summary>
    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Database={Database};Username={User};Password={_password}";

    public EngineProcess Process => new()
    {
        FileName = Path.Combine(_binaries, "postgres"),
        Arguments = ["-D", DataFolder, "-c", $"config_file={SettingsFile}"],
        WorkingDirectory = Folder,
        RunAs = _runAs,
        // 'Fast': SIGTERM would wait until the last client has gone.
        StopSignal = ProcessSignals.Interrupt,
    };

    private string SettingsFile => Path.Combine(Folder, "postgresql.conf");

    private string DataFolder => Path.Combine(Folder, "data");

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        // Others may pass through: the user that it runs as is one of them.
        Directory.CreateDirectory(Folder);
        File.SetUnixFileMode(Folder, owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        await CheckAccessAsync(cancellationToken);
        if (!Directory.Exists(DataFolder)) await MakeDataAsync(cancellationToken);
        await File.WriteAllTextAsync(SettingsFile, $"""
            listen_addresses = '127.0.0.1'
            port = {Port}
            unix_socket_directories = ''
            max_connections = 200
            shared_buffers = 64MB
            fsync = on
            synchronous_commit = on
            full_page_writes = on
            log_destination = 'stderr'
            logging_collector = off
            log_timezone = 'UTC'
            timezone = 'UTC'
            {await RecoveryAsync(cancellationToken)}

            """, cancellationToken);
        File.SetUnixFileMode(SettingsFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port), cancellationToken);
            await socket.SendAsync(StartupMessage(), cancellationToken);
            // It asks for the password once it takes clients; while it starts or recovers it answers with an error.
            var answer = new byte[1];
            await new NetworkStream(socket).ReadExactlyAsync(answer, cancellationToken);
            return answer[0] == (byte)'R';
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    /// <summary>The first message of the protocol, version 3.0.</summary>
    private static byte[] StartupMessage()
    {
        var parameters = Encoding.ASCII.GetBytes($"user\0{User}\0database\0{Database}\0\0");
        var message = new byte[8 + parameters.Length];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4), 3 << 16);
        parameters.CopyTo(message, 8);
        return message;
    }

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable(BinariesVariable) is { Length: > 0 } given)
        {
            return Programs.FolderWith([given], Needed) ?? throw new MissingEngineException(
                $"PostgreSQL is missing: {BinariesVariable} is {given}, where {string.Join(" and ", Needed)} are not.");
        }

        // Debian's packages keep them out of PATH, a folder for each version.
        const string packages = "/usr/lib/postgresql";
        var versions = Directory.Exists(packages)
            ? Directory.EnumerateDirectories(packages).OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), out var version) ? version : 0)
            : Enumerable.Empty<string>();
        return Programs.FolderWith([.. Programs.SearchPath, .. versions.Select(folder => Path.Combine(folder, "bin"))], Needed)
            ?? throw new MissingEngineException(
                $"PostgreSQL is missing: {string.Join(" and ", Needed)} are neither in PATH nor in {packages}/*/bin. Install it, on Debian with "
                + $"'apt-get install postgresql', or set {BinariesVariable} to the folder of its programs.");
    }

    private async Task CheckAccessAsync(CancellationToken cancellationToken)
    {
        if (_runAs is null) return;
        if (await RunAsync("test", ["-x", Folder], null, cancellationToken) is not null)
        {
            throw new InvalidOperationException(
                $"PostgreSQL does not run as root, and user {_runAs.Id}, whom it is run as, may not pass through the folders above {Folder}. "
                + "Choose another folder, or start this as another user.");
        }
    }

    /// <summary>After a crash it has the file system synced as a whole, not file by file, of which there are some hundreds for each
    /// database. PostgreSQL 14 and later can.</summary>
    private async Task<string> RecoveryAsync(CancellationToken cancellationToken)
    {
        var version = await File.ReadAllTextAsync(Path.Combine(DataFolder, "PG_VERSION"), cancellationToken);
        return int.TryParse(version, NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var major) && major >= 14
            ? "recovery_init_sync_method = syncfs" : "";
    }

    /// <summary>Makes the data under another name first: a folder that was left half-made is not taken for one that is whole.</summary>
    private async Task MakeDataAsync(CancellationToken cancellationToken)
    {
        var half = DataFolder + ".new";
        var passwordFile = Path.Combine(Folder, "password.new");
        if (Directory.Exists(half)) Directory.Delete(half, recursive: true);
        Directory.CreateDirectory(half);
        KeptSecret.Write(passwordFile, _password);
        try
        {
            _runAs?.Own(half);
            _runAs?.Own(passwordFile);
            await MustRunAsync("initdb",
                ["-D", half, "--username", User, "--auth", "scram-sha-256", "--pwfile", passwordFile, "--encoding", "UTF8", "--locale", "C", "--data-checksums"],
                null, cancellationToken);
            await MustRunAsync("postgres", ["--single", "-D", half, "template1"], $"CREATE DATABASE {Database}", cancellationToken);
        }
        finally
        {
            File.Delete(passwordFile);
        }

        Directory.Move(half, DataFolder);
    }

    private async Task MustRunAsync(string program, string[] arguments, string? input, CancellationToken cancellationToken)
    {
        if (await RunAsync(Path.Combine(_binaries, program), arguments, input, cancellationToken) is { } problem)
            throw new InvalidOperationException($"{program} failed: {problem}");
    }

    /// <summary>Null when it ended well, else what it said.</summary>
    private async Task<string?> RunAsync(string program, string[] arguments, string? input, CancellationToken cancellationToken)
    {
        var start = new EngineProcess { FileName = program, Arguments = arguments, WorkingDirectory = Folder, RunAs = _runAs }.ToStartInfo();
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = System.Diagnostics.Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        if (input is not null) await process.StandardInput.WriteLineAsync(input.AsMemory(), cancellationToken);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? null : $"{await errors}{await output}".Trim();
    }
}
