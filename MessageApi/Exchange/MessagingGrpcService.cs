using System.Threading.Channels;
using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi.Exchange;

/// <summary>The gRPC door: as thin as the REST endpoints, over the same feature classes.</summary>
internal sealed class MessagingGrpcService(
    SendQueue queue, ReceiptService receipts, ConversationService conversations, IDirectory directory, SigningKeys keys,
    ILogger<MessagingGrpcService> logger) : Messaging.MessagingBase
{
    private const int Batch = 256;
    private const int InFlight = 4096;
    private const int SummaryBatchSize = 100;

    public override async Task Exchange(
        IAsyncStreamReader<OperationBatch> requestStream, IServerStreamWriter<ResultBatch> responseStream, ServerCallContext context)
    {
        // At once: the edge takes the headers for the sign that the stream stands.
        await context.WriteResponseHeadersAsync([]);
        using var window = new SemaphoreSlim(InFlight, InFlight);
        var results = Channel.CreateBounded<Result>(new BoundedChannelOptions(InFlight) { SingleReader = true });
        var writing = WriteAsync(results.Reader, responseStream, window, context.CancellationToken);
        try
        {
            while (await requestStream.MoveNext(context.CancellationToken))
                foreach (var operation in requestStream.Current.Operations)
                {
                    await window.WaitAsync(context.CancellationToken);
                    // Started in order and not waited for: the queue of each conversation keeps its order, and answers in it.
                    if (operation.KindCase == Operation.KindOneofCase.Send) Send(operation, results.Writer);
                    else _ = RunAsync(operation, results.Writer);
                }
        }
        finally
        {
            results.Writer.TryComplete();
            await writing;
        }
    }

    public override async Task<OpenSessionReply> OpenSession(OpenSessionRequest request, ServerCallContext context)
    {
        var device = await directory.FindDeviceAsync(request.UserId.ToUserId(), request.DeviceId.ToDeviceId(), context.CancellationToken);
        return new()
        {
            ServerTimeMs = conversations.Now(),
            Fault = device is null ? new Error(ErrorCode.Unauthenticated, "the device was logged out; sign in again").ToFault() : null,
        };
    }

    public override async Task ListChanged(
        ListChangedRequest request, IServerStreamWriter<SummaryBatch> responseStream, ServerCallContext context)
    {
        var cursor = conversations.Now();
        var changed = await conversations.ListChangedAsync(request.UserId.ToUserId(), request.SinceMs, context.CancellationToken);
        foreach (var chunk in changed.Chunk(SummaryBatchSize))
        {
            var batch = new SummaryBatch();
            batch.Summaries.AddRange(chunk);
            await responseStream.WriteAsync(batch, context.CancellationToken);
        }

        await responseStream.WriteAsync(new() { CursorMs = cursor }, context.CancellationToken);
    }

    public override async Task Pull(PullRequest request, IServerStreamWriter<Page> responseStream, ServerCallContext context)
    {
        var user = request.UserId.ToUserId();
        var left = Limits.PullMessages;
        foreach (var range in request.Ranges)
        {
            var limit = Math.Min(range.Limit == 0 ? Limits.PullMessages : range.Limit, left);
            var page = await conversations.PullAsync(range.ConversationId.ToConversationId(), user, range.After, limit, context.CancellationToken);
            left -= page.Entries.Count;
            await responseStream.WriteAsync(page, context.CancellationToken);
        }
    }

    public override async Task<GetSigningKeysReply> GetSigningKeys(GetSigningKeysRequest request, ServerCallContext context) =>
        new() { JsonWebKeySet = await keys.GetJsonWebKeySetAsync(context.CancellationToken) };

    private void Send(Operation operation, ChannelWriter<Result> results) =>
        queue.Send(ToCommand(operation), outcome =>
        {
            var result = new Result { Id = operation.Id };
            if (outcome.Error is { } error) result.Fault = error.ToFault();
            else result.Sent = outcome.Value.ToWire();
            results.TryWrite(result);
        });

    private async Task RunAsync(Operation operation, ChannelWriter<Result> results)
    {
        var result = new Result { Id = operation.Id };
        try
        {
            switch (operation.KindCase)
            {
                case Operation.KindOneofCase.Advance:
                    result.Advanced = await AdvanceAsync(operation.Advance, operation.RepeatedAfterLoss);
                    break;
                case Operation.KindOneofCase.AdvanceMembers:
                    result.AdvancedMembers = await AdvanceAsync(operation.AdvanceMembers, operation.RepeatedAfterLoss);
                    break;
                default:
                    result.Fault = Error.Invalid("an operation of a kind that this version does not know").ToFault();
                    break;
            }
        }
        catch (Exception e)
        {
            logger.OperationFailed(e);
            result.Fault = Error.Unavailable("the message service failed; try again").ToFault();
        }

        // The channel holds as many as the window lets through; a stream that is gone takes no results.
        results.TryWrite(result);
    }

    private static SendCommand ToCommand(Operation operation)
    {
        var send = operation.Send;
        return new(
            send.SenderId.ToUserId(),
            send.ClientMessageId,
            send.ToUserId.IsEmpty ? null : send.ToUserId.ToUserId(),
            send.ConversationId.IsEmpty ? null : send.ConversationId.ToConversationId(),
            send.Text.Memory,
            send.ReplyTo.IsEmpty ? null : send.ReplyTo.ToMessageId(),
            operation.TraceParent.Length == 0 ? null : operation.TraceParent,
            send.ConnectionId.IsEmpty ? null : send.ConnectionId.ToConnectionId());
    }

    private Task<AdvanceResult> AdvanceAsync(Advance advance, bool isRepeated)
    {
        var positions = new List<NewPosition>(advance.Positions.Count);
        foreach (var position in advance.Positions)
            positions.Add(new(position.ConversationId.ToConversationId(), position.DeliveredSeq, position.ReadSeq));
        return receipts.AdvanceAsync(advance.UserId.ToUserId(), positions, advance.AnswerHeld, isRepeated, CancellationToken.None);
    }

    private Task<AdvanceResult> AdvanceAsync(AdvanceMembers advance, bool isRepeated)
    {
        var conversation = advance.ConversationId.ToConversationId();
        var rises = new List<Rise>(advance.Positions.Count);
        foreach (var position in advance.Positions)
            rises.Add(new(new(position.UserId.ToUserId(), conversation, position.DeliveredSeq, position.ReadSeq), position.AnswerHeld));
        return receipts.AdvanceAsync(rises, isRepeated, CancellationToken.None);
    }

    private static async Task WriteAsync(
        ChannelReader<Result> results, IServerStreamWriter<ResultBatch> stream, SemaphoreSlim window, CancellationToken aborted)
    {
        try
        {
            while (await results.WaitToReadAsync(aborted))
            {
                var batch = new ResultBatch();
                while (batch.Results.Count < Batch && results.TryRead(out var result)) batch.Results.Add(result);
                window.Release(batch.Results.Count);
                await stream.WriteAsync(batch, aborted);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException or IOException)
        {
            // The edge went away; it asks again over its next stream.
        }
    }
}
