using System.Numerics;

namespace WhatsAspire.Cql;

/// <summary>Cassandra's duration: three parts that can't be turned into one another, all of one sign.</summary>
public readonly record struct CqlDuration
{
    /// <exception cref="ArgumentException">Parts of both signs.</exception>
    public CqlDuration(int months, int days, long nanoseconds)
    {
        if ((months < 0 || days < 0 || nanoseconds < 0) && (months > 0 || days > 0 || nanoseconds > 0))
            throw new ArgumentException($"The parts of a duration have one sign: {months} months, {days} days, {nanoseconds} ns.");
        Months = months;
        Days = days;
        Nanoseconds = nanoseconds;
    }

    public int Months { get; }

    public int Days { get; }

    public long Nanoseconds { get; }
}

/// <summary>A decimal of any size: <c>Unscaled * 10^-Scale</c>.</summary>
public readonly record struct CqlDecimal(BigInteger Unscaled, int Scale)
{
    /// <exception cref="OverflowException">More than System.Decimal holds: 28 places, or 96 bits.</exception>
    public decimal ToDecimal()
    {
        var (unscaled, scale) = (Unscaled, Scale);
        // A scale beyond what any System.Decimal has would only make a number that can't fit; don't compute its power of ten.
        if (scale < -28 || (scale > 28 + 29 && !unscaled.IsZero))
            throw new OverflowException($"A decimal with {scale} places doesn't fit System.Decimal.");
        if (unscaled.IsZero)
            return new(0, 0, 0, false, (byte)Math.Clamp(scale, 0, 28));
        if (scale < 0)
            (unscaled, scale) = (unscaled * BigInteger.Pow(10, -scale), 0);
        for (; scale > 28; scale--)
        {
            (unscaled, var rest) = BigInteger.DivRem(unscaled, 10);
            if (!rest.IsZero)
                throw new OverflowException($"A decimal with {Scale} places doesn't fit System.Decimal.");
        }

        var magnitude = BigInteger.Abs(unscaled);
        if (magnitude.GetBitLength() > 96)
            throw new OverflowException("A decimal of more than 96 bits doesn't fit System.Decimal.");
        var low = (ulong)(magnitude & ulong.MaxValue);
        return new((int)(uint)low, (int)(uint)(low >> 32), (int)(uint)(magnitude >> 64), unscaled.Sign < 0, (byte)scale);
    }
}
