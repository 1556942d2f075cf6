using Google.Protobuf;
using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Push.V1;
using WhatsAspire.MessageApi.Directory;

namespace WhatsAspire.MessageApi.Push;

/// <summary>The PushWorker's door. What breaks the contract is refused as <c>INVALID_ARGUMENT</c>: asking again would not help.</summary>
internal sealed class PushGrpcService(PushService pushes) : PushState.PushStateBase
{
    private const int OutcomesPerReport = 100;

    public override Task<GetPushReply> GetPush(GetPushRequest request, ServerCallContext context) =>
        pushes.GetAsync(
            new(Id(request.UserId, "user_id")), new(Id(request.ConversationId, "conversation_id")), context.CancellationToken);

    public override async Task<ReportPushReply> ReportPush(ReportPushRequest request, ServerCallContext context)
    {
        if (request.Outcomes.Count > OutcomesPerReport) throw Refusal($"at most {OutcomesPerReport} outcomes can be reported at once");
        var reports = new List<PushReport>(request.Outcomes.Count);
        foreach (var outcome in request.Outcomes)
            reports.Add(new(
                new(Id(outcome.DeviceId, "device_id")), outcome.Token, outcome.PushedSeq, outcome.ClearedSeq, Time(outcome.DeadAtMs)));
        await pushes.ReportAsync(
            new(Id(request.UserId, "user_id")), new(Id(request.ConversationId, "conversation_id")), reports, context.CancellationToken);
        return new();
    }

    private static Guid Id(ByteString bytes, string member) =>
        bytes.Length == 16 ? bytes.ToGuid() : throw Refusal($"{member} must be the 16 bytes of a UUID");

    private static DateTimeOffset? Time(long ms) => ms switch
    {
        0 => null,
        > 0 and <= MaxMs => DateTimeOffset.FromUnixTimeMilliseconds(ms),
        _ => throw Refusal("dead_at_ms must be milliseconds since 1970-01-01 UTC"),
    };

    // The last of the year 9999.
    private const long MaxMs = 253_402_300_799_999;

    private static RpcException Refusal(string message) => new(new Status(StatusCode.InvalidArgument, message));
}
