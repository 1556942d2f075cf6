using System.Globalization;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>Ports that engines had before, so that they are found where they were: some note their own address in their
/// data. Kept in a file of the data folder; one that somebody else has taken meanwhile is replaced.</summary>
internal sealed class KeptPorts
{
    private readonly string _file;
    private readonly Dictionary<string, int> _ports = [];

    public KeptPorts(DataFolder data)
    {
        _file = data.Of("ports");
        if (!File.Exists(_file)) return;
        foreach (var line in File.ReadLines(_file))
        {
            if (line.Split('=') is [var name, var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
                _ports[name] = port;
        }
    }

    /// <summary>The port of that name.</summary>
    public int Of(string name)
    {
        if (_ports.TryGetValue(name, out var kept) && FreePorts.IsFree(kept)) return kept;
        var port = FreePorts.Take();
        _ports[name] = port;
        File.WriteAllLines(_file, _ports.Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key}={entry.Value}")));
        return port;
    }
}
