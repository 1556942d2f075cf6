using System.Collections;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql;

/// <summary>What a statement gave: the rows of one page, or none. Immutable.</summary>
public sealed class CqlResult : IReadOnlyList<CqlRow>
{
    internal static readonly CqlResult Void = new(ColumnSet.Empty, [], [], 0);

    private readonly ColumnSet _columns;
    private readonly byte[] _body;

    /// <summary>Where in the body each cell's length stands, row by row.</summary>
    private readonly int[] _cells;

    internal CqlResult(ColumnSet columns, byte[] body, int[] cells, int count)
    {
        _columns = columns;
        _body = body;
        _cells = cells;
        Count = count;
    }

    /// <summary>Rows of this page.</summary>
    public int Count { get; }

    /// <exception cref="ArgumentOutOfRangeException">Not 0 to <see cref="Count"/> - 1.</exception>
    public CqlRow this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return new(this, index);
        }
    }

    public IReadOnlyList<CqlColumn> Columns => _columns.Columns;

    /// <summary>For <see cref="CqlCommand.PagingState"/> of the next page; empty where this was the last.</summary>
    public ReadOnlyMemory<byte> PagingState { get; init; }

    /// <summary>Of a conditional statement: whether its condition held, from the column <c>[applied]</c> of the first row. True
    /// for all other statements.</summary>
    public bool IsApplied => Count == 0 || _columns.Find("[applied]") is not (>= 0 and var ordinal) || this[0].GetBoolean(ordinal);

    /// <summary>The server's warnings about the statement.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>What the server's own query handlers gave; null where they gave nothing.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload { get; init; }

    /// <summary>False after a change of the schema that not all nodes had taken over when the session stopped waiting.</summary>
    public bool IsSchemaAgreed { get; init; } = true;

    internal ColumnSet ColumnSet => _columns;

    /// <summary>A result that no server gave, for other implementations of the session and for tests.</summary>
    /// <exception cref="ArgumentException">A row has another number of values than there are columns, or a value doesn't fit its column.</exception>
    public static CqlResult Create(IReadOnlyList<CqlColumn> columns, IReadOnlyList<IReadOnlyList<CqlValue>> rows,
        ReadOnlyMemory<byte> pagingState = default)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(rows);
        using var writer = new ByteWriter();
        var cells = new int[columns.Count * rows.Count];
        var cell = 0;
        foreach (var row in rows)
        {
            if (row.Count != columns.Count)
                throw new ArgumentException($"A row has {row.Count} values for {columns.Count} columns.", nameof(rows));
            for (var i = 0; i < row.Count; i++)
            {
                cells[cell++] = writer.Length;
                ValueWriter.Write(writer, row[i], columns[i].Type, columns[i].Name);
            }
        }

        return new(new([.. columns]), writer.Written.ToArray(), cells, rows.Count) { PagingState = pagingState };
    }

    public IEnumerator<CqlRow> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
            yield return new(this, i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The cell's bytes; false for null.</summary>
    internal bool TryGetCell(int row, int ordinal, out ReadOnlyMemory<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(ordinal, _columns.Count);
        var at = _cells[(row * _columns.Count) + ordinal];
        var length = ByteReader.Int32At(_body, at);
        value = length < 0 ? default : _body.AsMemory(at + sizeof(int), length);
        return length >= 0;
    }
}
