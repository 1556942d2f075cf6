using System.Globalization;
using System.Net;
using System.Numerics;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests.Protocol;

public sealed class ValueTests
{
    private static readonly Guid Uuid = Guid.Parse("00112233-4455-1677-8899-aabbccddeeff");

    /// <summary>Type, value, its bytes by section 6 of the protocol, and what is read from them.</summary>
    public static TheoryData<string, string, string> Golden
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (var (name, (_, _, bytes, expected)) in Cases)
                data.Add(name, bytes, Convert.ToString(expected, CultureInfo.InvariantCulture) ?? "");
            return data;
        }
    }

    private static Dictionary<string, (CqlType Type, CqlValue Value, string Bytes, object Expected)> Cases { get; } = new()
    {
        ["ascii"] = (CqlType.Ascii, "Hi", "4869", "Hi"),
        ["bigint"] = (CqlType.Bigint, -2L, "FFFFFFFFFFFFFFFE", -2L),
        ["bigint from int"] = (CqlType.Bigint, 258, "0000000000000102", 258L),
        ["blob"] = (CqlType.Blob, new byte[] { 1, 255 }, "01FF", new byte[] { 1, 255 }),
        ["blob from memory"] = (CqlType.Blob, new ReadOnlyMemory<byte>([9, 8, 7], 1, 2), "0807", new byte[] { 8, 7 }),
        ["boolean"] = (CqlType.Boolean, true, "01", true),
        ["counter"] = (CqlType.Counter, 1L, "0000000000000001", 1L),
        ["date"] = (CqlType.Date, new DateOnly(1970, 1, 2), "80000001", new DateOnly(1970, 1, 2)),
        ["date before 1970"] = (CqlType.Date, new DateOnly(1969, 12, 31), "7FFFFFFF", new DateOnly(1969, 12, 31)),
        ["decimal"] = (CqlType.Decimal, -1.29m, "00000002FF7F", new CqlDecimal(-129, 2)),
        ["decimal of any size"] = (CqlType.Decimal, new CqlDecimal(128, -3), "FFFFFFFD0080", new CqlDecimal(128, -3)),
        ["double"] = (CqlType.Double, 1.5, "3FF8000000000000", 1.5),
        ["double from float"] = (CqlType.Double, 1.5f, "3FF8000000000000", 1.5),
        ["duration"] = (CqlType.Duration, new CqlDuration(1, -0, 128_000), "0200C3E800", new CqlDuration(1, 0, 128_000)),
        ["duration, negative"] = (CqlType.Duration, new CqlDuration(-1, -2, -3), "010305", new CqlDuration(-1, -2, -3)),
        ["float"] = (CqlType.Float, -2f, "C0000000", -2f),
        ["inet 4"] = (CqlType.Inet, IPAddress.Parse("192.0.2.1"), "C0000201", IPAddress.Parse("192.0.2.1")),
        ["inet 6"] = (CqlType.Inet, IPAddress.IPv6Loopback, "00000000000000000000000000000001", IPAddress.IPv6Loopback),
        ["int"] = (CqlType.Int, -1, "FFFFFFFF", -1),
        ["smallint"] = (CqlType.Smallint, (short)-2, "FFFE", (short)-2),
        ["text"] = (CqlType.Text, "ü🐦", "C3BCF09F90A6", "ü🐦"),
        ["time"] = (CqlType.Time, new TimeOnly(1), "0000000000000064", new TimeOnly(1)),
        ["timestamp"] = (CqlType.Timestamp, DateTimeOffset.UnixEpoch.AddMilliseconds(-1), "FFFFFFFFFFFFFFFF", DateTimeOffset.UnixEpoch.AddMilliseconds(-1)),
        ["timeuuid"] = (CqlType.Timeuuid, Uuid, "00112233445516778899AABBCCDDEEFF", Uuid),
        ["tinyint"] = (CqlType.Tinyint, (sbyte)-128, "80", (sbyte)-128),
        ["uuid"] = (CqlType.Uuid, Uuid, "00112233445516778899AABBCCDDEEFF", Uuid),
        ["varint 0"] = (CqlType.Varint, 0, "00", BigInteger.Zero),
        ["varint 127"] = (CqlType.Varint, 127, "7F", new BigInteger(127)),
        ["varint 128"] = (CqlType.Varint, 128, "0080", new BigInteger(128)),
        ["varint -128"] = (CqlType.Varint, -128, "80", new BigInteger(-128)),
        ["varint -129"] = (CqlType.Varint, -129, "FF7F", new BigInteger(-129)),
        ["varint, large"] = (CqlType.Varint, BigInteger.Pow(2, 64), "010000000000000000", BigInteger.Pow(2, 64)),
        ["list"] = (CqlType.List(CqlType.Int), CqlValue.List(1, 2), "00000002" + "0000000400000001" + "0000000400000002", new object?[] { 1, 2 }),
        ["set"] = (CqlType.Set(CqlType.Text), CqlValue.Set("a"), "00000001" + "0000000161", new object?[] { "a" }),
        ["map"] = (CqlType.Map(CqlType.Text, CqlType.Tinyint), CqlValue.Map(("k", (sbyte)5)), "00000001" + "000000016B" + "0000000105",
            new Dictionary<object, object?> { ["k"] = (sbyte)5 }),
        ["tuple"] = (CqlType.Tuple(CqlType.Int, CqlType.Text), CqlValue.Tuple(1, CqlValue.Null), "0000000400000001" + "FFFFFFFF", new object?[] { 1, null }),
        ["user-defined"] = (CqlType.Udt("ks", "pair", [("a", CqlType.Int), ("b", CqlType.Text)]), CqlValue.Udt(("b", "x")), "FFFFFFFF" + "0000000178",
            new Dictionary<string, object?> { ["a"] = null, ["b"] = "x" }),
        ["vector of floats"] = (CqlType.Vector(CqlType.Float, 2), CqlValue.Vector([1f, -2f]), "3F800000C0000000", new[] { 1f, -2f }),
        ["vector of texts"] = (CqlType.Vector(CqlType.Text, 2), CqlValue.Vector((CqlValue)"a", "bc"), "0161" + "026263", new object?[] { "a", "bc" }),
        ["vector of smallints"] = (CqlType.Vector(CqlType.Smallint, 1), CqlValue.Vector((CqlValue)(short)1), "020001", new object?[] { (short)1 }),
        ["custom"] = (CqlType.Custom("x.Y"), new byte[] { 3 }, "03", new byte[] { 3 }),
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void Values_have_the_bytes_of_the_protocol_both_ways(string name, string bytes, string shown)
    {
        Assert.NotNull(shown);
        var (type, value, _, expected) = Cases[name];
        using var writer = new ByteWriter();
        ValueWriter.Write(writer, value, type, "c");
        Assert.Equal(bytes, Convert.ToHexString(writer.Written[4..]));
        Assert.Equal(bytes.Length / 2, new ByteReader(writer.Written).Int32());
        Assert.Equal(expected, ValueReader.Object(Convert.FromHexString(bytes), type, "c"));
        Assert.Equal(expected, CqlResult.Create([new("c", type)], [[value]])[0].GetValue(0));
    }

    [Fact]
    public void Null_and_unset_are_lengths()
    {
        using var writer = new ByteWriter();
        foreach (var value in (CqlValue[])[CqlValue.Null, default, (string?)null, (byte[]?)null, (int?)null, CqlValue.Unset])
            ValueWriter.Write(writer, value, CqlType.Int, "c");
        Assert.Equal(string.Concat(Enumerable.Repeat("FFFFFFFF", 5)) + "FFFFFFFE", Convert.ToHexString(writer.Written));
    }

    [Fact]
    public void Every_value_that_does_not_fit_is_refused_with_its_column()
    {
        CqlValue[] values = [.. Cases.Values.Select(entry => entry.Value)];
        CqlType[] types = [.. Cases.Values.Select(entry => entry.Type)];
        var fits = 0;
        using var writer = new ByteWriter();
        foreach (var value in values)
        {
            foreach (var type in types)
            {
                try
                {
                    ValueWriter.Write(writer, value, type, "col");
                    fits++;
                }
                catch (ArgumentException refused)
                {
                    Assert.StartsWith($"Column 'col", refused.Message, StringComparison.Ordinal);
                }

                writer.Clear();
            }
        }

        Assert.InRange(fits, types.Length, types.Length * 8);
    }

    [Theory]
    [InlineData("00112233-4455-4677-8899-aabbccddeeff")]
    public void A_timeuuid_is_of_version_1(string uuid)
    {
        var refused = Assert.Throws<ArgumentException>(() => CqlResult.Create([new("t", CqlType.Timeuuid)], [[Guid.Parse(uuid)]]));
        Assert.Equal("Column 't' is timeuuid; a UUID of version 4 doesn't fit it.", refused.Message);
    }

    [Fact]
    public void Rows_are_read_by_number_and_by_name_and_types_are_checked()
    {
        var result = CqlResult.Create([new("n", CqlType.Smallint), new("s", CqlType.Text)], [[(short)7, "x"], [CqlValue.Null, CqlValue.Null]]);
        Assert.Equal(2, result.Count);
        Assert.True(result.IsApplied);
        Assert.Equal((7L, 7, (short)7), (result[0].GetInt64("n"), result[0].GetInt32(0), result[0].GetInt16("n")));
        Assert.Equal("x", result[0].GetString("s"));
        Assert.Equal([false, true], result.Select(row => row.IsNull("n")));
        Assert.Contains("'n' is null", Assert.Throws<InvalidCastException>(() => result[1].GetInt32("n")).Message, StringComparison.Ordinal);
        Assert.Contains("'s' is text", Assert.Throws<InvalidCastException>(() => result[0].GetInt32("s")).Message, StringComparison.Ordinal);
        Assert.Contains("no column 'S'", Assert.Throws<ArgumentException>(() => result[0].GetString("S")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => result[2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => result[0].GetInt32(2));
        Assert.False(CqlResult.Create([new("[applied]", CqlType.Boolean)], [[false]]).IsApplied);
    }

    [Theory]
    [InlineData("79228162514264337593543950335")]
    [InlineData("-0.0000000000000000000000000001")]
    [InlineData("0.00")]
    [InlineData("-12345.678")]
    public void Decimals_come_back(string text)
    {
        var value = decimal.Parse(text, CultureInfo.InvariantCulture);
        Assert.Equal(value, CqlResult.Create([new("d", CqlType.Decimal)], [[value]])[0].GetDecimal(0));
    }

    [Fact]
    public void Decimals_that_do_not_fit_are_overflows_and_not_long_calculations()
    {
        foreach (var scale in (int[])[int.MinValue, -29, 58, int.MaxValue])
            Assert.Throws<OverflowException>(() => new CqlDecimal(1, scale).ToDecimal());
        Assert.Throws<OverflowException>(() => new CqlDecimal(BigInteger.Pow(2, 96), 0).ToDecimal());
        Assert.Equal(1000m, new CqlDecimal(1, -3).ToDecimal());
        Assert.Equal(0.0000000000000000000000000001m, new CqlDecimal(10, 29).ToDecimal());
    }

    [Fact]
    public void Vints_come_back_over_their_whole_range()
    {
        using var writer = new ByteWriter();
        var values = Enumerable.Range(0, 63).SelectMany(bits => (long[])[1L << bits, -(1L << bits), (1L << bits) - 1]).Append(long.MinValue).Append(long.MaxValue).ToArray();
        foreach (var value in values)
            writer.WriteVint(value);
        var reader = new ByteReader(writer.Written);
        foreach (var value in values)
            Assert.Equal(value, reader.Vint());
        Assert.Equal(0, reader.Remaining);
        // The protocol's own example.
        writer.Clear();
        writer.WriteUnsignedVint(256_000);
        Assert.Equal("C3E800", Convert.ToHexString(writer.Written));
    }

    [Theory]
    [InlineData("org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 3)", "vector<float, 3>")]
    [InlineData("org.apache.cassandra.db.marshal.DurationType", "duration")]
    [InlineData("org.apache.cassandra.db.marshal.FrozenType(org.apache.cassandra.db.marshal.MapType(org.apache.cassandra.db.marshal.UTF8Type,org.apache.cassandra.db.marshal.ListType(org.apache.cassandra.db.marshal.Int32Type)))", "map<text, list<int>>")]
    [InlineData("org.apache.cassandra.db.marshal.UserType(ks,70616972,61:org.apache.cassandra.db.marshal.Int32Type)", "ks.pair")]
    [InlineData("com.example.Own", "com.example.Own")]
    [InlineData("org.apache.cassandra.db.marshal.ListType(", "org.apache.cassandra.db.marshal.ListType(")]
    [InlineData("org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType,-1)", "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType,-1)")]
    public void Java_names_of_types_are_understood(string name, string expected) => Assert.Equal(expected, MarshalTypeName.Parse(name).Name);

    [Fact]
    public void Random_bytes_as_values_never_break_out_of_typed_errors()
    {
        var random = new Random(7);
        foreach (var (type, _, _, _) in Cases.Values)
        {
            for (var i = 0; i < 300; i++)
            {
                var bytes = new byte[random.Next(0, 40)];
                random.NextBytes(bytes);
                try
                {
                    ValueReader.Object(bytes, type, "c");
                }
                catch (Exception typed) when (typed is CqlProtocolException or InvalidCastException or OverflowException)
                {
                }
            }
        }
    }
}
