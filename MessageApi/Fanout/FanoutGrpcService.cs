using Google.Protobuf;
using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Fanout.V1;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Fanout;

/// <summary>The FanoutWorker's door. What breaks the contract is refused as <c>INVALID_ARGUMENT</c>: asking again would not help.</summary>
internal sealed class FanoutGrpcService(IMessageStore store, IGroupMembers members) : FanoutState.FanoutStateBase
{
    private const int MostEntries = 100;
    private const int MostMembers = 500;

    public override async Task<GetEntriesReply> GetEntries(GetEntriesRequest request, ServerCallContext context)
    {
        if (request.After < 0) throw Refusal("after must not be negative");
        var reply = new GetEntriesReply();
        foreach (var entry in await AskAsync(() => store.ReadAsync(
            new(Id(request.ConversationId, "conversation_id")), request.After, long.MaxValue, Limit(request.Limit, MostEntries), newestFirst: false,
            context.CancellationToken)))
            reply.Entries.Add(entry.ToWire());
        return reply;
    }

    public override async Task<ListMembersReply> ListMembers(ListMembersRequest request, ServerCallContext context)
    {
        var conversation = new ConversationId(Id(request.ConversationId, "conversation_id"));
        UserId? after = request.AfterUserId.IsEmpty ? null : new(Id(request.AfterUserId, "after_user_id"));
        var limit = Limit(request.Limit, MostMembers);
        var reply = new ListMembersReply();
        if (await AskAsync(() => members.FindAsync(conversation, context.CancellationToken)) is not { } group) return reply;

        var first = after is { } last ? FirstAfter(group.Members, last) : 0;
        var page = new List<UserId>(Math.Min(limit, group.Members.Count - first));
        for (var i = first; i < group.Members.Count && page.Count < limit; i++) page.Add(group.Members[i]);
        if (page.Count == 0) return reply;

        // To whom an entry goes the log says, not the directory: it has the order. Nobody gets what was before he came, though he may
        // be allowed to read it.
        var states = await AskAsync(() => store.GetMembersAsync(conversation, page, context.CancellationToken));
        for (var i = 0; i < page.Count; i++)
            if (states[i] is { } member)
                reply.Members.Add(new Member { UserId = page[i].ToBytes(), JoinSeq = member.JoinSeq, LeftSeq = member.LeftSeq });
        if (first + page.Count < group.Members.Count) reply.Next = page[^1].ToBytes();
        return reply;
    }

    private static int FirstAfter(IReadOnlyList<UserId> sorted, UserId user)
    {
        var (low, high) = (0, sorted.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle] <= user) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static async ValueTask<T> AskAsync<T>(Func<ValueTask<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (UnavailableException e)
        {
            throw new RpcException(new(StatusCode.Unavailable, e.Message));
        }
    }

    private static int Limit(int limit, int most) =>
        limit >= 1 && limit <= most ? limit : throw Refusal($"limit must be from 1 to {most}");

    private static Guid Id(ByteString bytes, string member) =>
        bytes.Length == 16 ? bytes.ToGuid() : throw Refusal($"{member} must be the 16 bytes of a UUID");

    private static RpcException Refusal(string message) => new(new Status(StatusCode.InvalidArgument, message));
}
