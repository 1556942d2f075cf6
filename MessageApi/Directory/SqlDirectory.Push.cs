using System.Buffers.Binary;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Push registrations and their marks. The registration hangs on the device and the marks on the registration, each
/// by a foreign key that cascades: whoever removes a device removes all of it, also a version that knows nothing of
/// pushes.</summary>
public abstract partial class SqlDirectory
{
    private const string PushColumns =
        "provider, token, topic, sandbox, p256dh, auth, hides_content, registered_ms";

    public Task<bool> PutPushAsync(PushRegistration registration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(registration);
        return WriteAsync((connection, cancel) => PutPushAsync(connection, registration, cancel), cancellationToken);
    }

    private async Task<bool> PutPushAsync(DbConnection connection, PushRegistration registration, CancellationToken cancellationToken)
    {
        var hash = TokenHash(registration.Provider, registration.Token);
        // Of two devices that register one token at once, the later must find what the earlier has put.
        if (PushTokenLock is { } statement)
            await connection.ExecuteAsync(statement, [("lock", BinaryPrimitives.ReadInt32BigEndian(hash))], cancellationToken);
        var device = await connection.FirstAsync(
            $"SELECT device_id FROM devices WHERE device_id = @device AND user_id = @user{ForUpdate}",
            [("device", registration.Device.Value), ("user", registration.User.Value)], r => (object)r.GetGuid(0), cancellationToken);
        if (device is null) return false;

        await connection.ExecuteAsync(
            "DELETE FROM push_registrations WHERE token_hash = @hash AND device_id <> @device",
            [("hash", hash), ("device", registration.Device.Value)], cancellationToken);
        await connection.ExecuteAsync(
            $"""
            INSERT INTO push_registrations (device_id, token_hash, {PushColumns})
            VALUES (@device, @hash, @provider, @token, @topic, @sandbox, @p256dh, @auth, @hides, @registered)
            ON CONFLICT (device_id) DO UPDATE SET
                token_hash = excluded.token_hash, provider = excluded.provider, token = excluded.token, topic = excluded.topic,
                sandbox = excluded.sandbox, p256dh = excluded.p256dh, auth = excluded.auth, hides_content = excluded.hides_content,
                registered_ms = CASE WHEN push_registrations.registered_ms > excluded.registered_ms
                    THEN push_registrations.registered_ms ELSE excluded.registered_ms END
            """,
            [
                ("device", registration.Device.Value), ("hash", hash), ("provider", registration.Provider), ("token", registration.Token),
                ("topic", registration.Topic), ("sandbox", registration.IsSandbox), ("p256dh", registration.P256dh),
                ("auth", registration.Auth), ("hides", registration.HidesContent), ("registered", Ms(registration.RegisteredAt)),
            ],
            cancellationToken);
        return true;
    }

    public Task RemovePushAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
        WriteAsync((connection, cancel) => connection.ExecuteAsync(
            """
            DELETE FROM push_registrations WHERE device_id = @device
            AND EXISTS (SELECT 1 FROM devices WHERE device_id = @device AND user_id = @user)
            """,
            [("device", device.Value), ("user", user.Value)], cancel), cancellationToken);

    public Task<IReadOnlyList<PushTarget>> ListPushTargetsAsync(
        UserId user, ConversationId conversation, CancellationToken cancellationToken) =>
        AllAsync(
            $"""
            SELECT {PushColumns}, d.device_id, COALESCE(m.pushed_seq, 0), COALESCE(m.cleared_seq, 0)
            FROM devices d
            JOIN push_registrations r ON r.device_id = d.device_id
            LEFT JOIN push_marks m ON m.device_id = r.device_id AND m.conversation_id = @conversation
            WHERE d.user_id = @user
            ORDER BY d.created_ms, d.device_id
            """,
            [("user", user.Value), ("conversation", conversation.Value)],
            r => new PushTarget(
                new()
                {
                    Provider = r.GetString(0),
                    Token = r.GetString(1),
                    Topic = Text(r, 2),
                    IsSandbox = r.GetBoolean(3),
                    P256dh = Text(r, 4),
                    Auth = Text(r, 5),
                    HidesContent = r.GetBoolean(6),
                    RegisteredAt = Time(r.GetInt64(7)),
                    Device = new(r.GetGuid(8)),
                    User = user,
                },
                r.GetInt64(9), r.GetInt64(10)),
            cancellationToken);

    public Task ReportPushAsync(
        UserId user, ConversationId conversation, IReadOnlyList<PushReport> reports, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reports);
        return WriteAsync(async (connection, cancel) =>
        {
            // Held to the end, and taken in the order of the ids by everybody: nobody registers or logs out meanwhile, and
            // two reports can't wait for each other.
            var registrations = await connection.AllAsync(
                $"""
                SELECT device_id, token, registered_ms FROM push_registrations
                WHERE device_id IN (SELECT device_id FROM devices WHERE user_id = @user)
                ORDER BY device_id{ForUpdate}
                """,
                [("user", user.Value)], r => (Device: new DeviceId(r.GetGuid(0)), Token: r.GetString(1), RegisteredMs: r.GetInt64(2)), cancel);
            var held = registrations.ToDictionary(r => r.Device);
            foreach (var report in reports)
            {
                if (!held.TryGetValue(report.Device, out var registration)) continue;
                if (report.PushedSeq > 0 || report.ClearedSeq > 0) await RaiseAsync(connection, conversation, report, cancel);
                if (report.DeadAt is not { } dead || report.Token != registration.Token || registration.RegisteredMs > Ms(dead)) continue;
                await connection.ExecuteAsync(
                    "DELETE FROM push_registrations WHERE device_id = @device", [("device", report.Device.Value)], cancel);
                held.Remove(report.Device);
            }

            return true;
        }, cancellationToken);
    }

    private static Task<int> RaiseAsync(
        DbConnection connection, ConversationId conversation, PushReport report, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            """
            INSERT INTO push_marks (device_id, conversation_id, pushed_seq, cleared_seq)
            VALUES (@device, @conversation, @pushed, @cleared)
            ON CONFLICT (device_id, conversation_id) DO UPDATE SET
                pushed_seq = CASE WHEN push_marks.pushed_seq > excluded.pushed_seq
                    THEN push_marks.pushed_seq ELSE excluded.pushed_seq END,
                cleared_seq = CASE WHEN push_marks.cleared_seq > excluded.cleared_seq
                    THEN push_marks.cleared_seq ELSE excluded.cleared_seq END
            """,
            [
                ("device", report.Device.Value), ("conversation", conversation.Value),
                ("pushed", Math.Max(0, report.PushedSeq)), ("cleared", Math.Max(0, report.ClearedSeq)),
            ],
            cancellationToken);

    // What is unique, instead of the token itself: PostgreSQL's indexes hold no key longer than a third of a page. No
    // provider's name holds the zero byte between the two.
    private static byte[] TokenHash(string provider, string token) => SHA256.HashData(Encoding.UTF8.GetBytes($"{provider}\0{token}"));

    private static string? Text(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
}
