namespace WhatsAspire.Cql;

/// <summary>A column of a result, or a marker of a statement.</summary>
public sealed record CqlColumn(string Name, CqlType Type, string Keyspace = "", string Table = "");

/// <summary>The columns of a result, shared by all results of one prepared statement.</summary>
internal sealed class ColumnSet(CqlColumn[] columns)
{
    public static readonly ColumnSet Empty = new([]);

    private Dictionary<string, int>? _ordinals;

    public CqlColumn[] Columns { get; } = columns;

    public int Count => Columns.Length;

    /// <summary>-1 where there is none of that name.</summary>
    public int Find(string name) => (_ordinals ??= MakeOrdinals()).GetValueOrDefault(name, -1);

    private Dictionary<string, int> MakeOrdinals()
    {
        var ordinals = new Dictionary<string, int>(Columns.Length, StringComparer.Ordinal);
        for (var i = 0; i < Columns.Length; i++)
            ordinals.TryAdd(Columns[i].Name, i);
        return ordinals;
    }
}
