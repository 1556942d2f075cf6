using System.Diagnostics.Metrics;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Users;

/// <summary>What a person on call asks about sign-ins.</summary>
internal sealed class UsersMetrics
{
    public const string MeterName = "WhatsAspire.Users";
    public const string SignInsName = "whatsaspire.users.sign_ins";
    public const string PasswordDurationName = "whatsaspire.users.password.duration";

    private readonly Counter<long> _signIns;
    private readonly Histogram<double> _passwords;

    public UsersMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _signIns = meter.CreateCounter<long>(
            SignInsName, "{sign_in}", "Requests for tokens, by grant (password, refresh_token) and outcome (ok, or the error's code)");
        _passwords = meter.CreateHistogram<double>(PasswordDurationName, "s", "Time that hashing one password took, its turn not counted");
    }

    public void SignedIn(string grant, Error? error) =>
        _signIns.Add(1, new("grant", grant), new KeyValuePair<string, object?>("outcome", error?.Code.Word() ?? "ok"));

    public void PasswordHashed(TimeSpan took) => _passwords.Record(took.TotalSeconds);
}
