using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Fanout.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>What MessageApi would say of one group. Safe for concurrent use.</summary>
internal sealed class ScriptedGroup : FanoutState.FanoutStateBase
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<UserId, Member> _members = [];
    private readonly List<Entry> _log = [];
    private int _failures;

    public ConversationId Id { get; } = ConversationId.NewGroup();

    /// <summary>Fails the next calls as a replica that is going away does.</summary>
    public int Failures
    {
        set => Volatile.Write(ref _failures, value);
    }

    /// <summary>Pages of members that were asked for.</summary>
    public int Pages { get; private set; }

    public UserId[] Add(int count, long joinSeq = 0)
    {
        lock (_gate)
        {
            var users = new UserId[count];
            for (var i = 0; i < count; i++)
            {
                users[i] = UserId.New();
                _members[users[i]] = new() { UserId = users[i].ToBytes(), JoinSeq = joinSeq };
            }

            return users;
        }
    }

    public void Remove(UserId user)
    {
        lock (_gate) _members.Remove(user);
    }

    public long AppendText(UserId sender, string text = "hello") => Append(sender, EntryKind.Text, Encoding.UTF8.GetBytes(text));

    public long AppendChange(UserId by, GroupChange change) =>
        Append(by, EntryKind.System, JsonSerializer.SerializeToUtf8Bytes(change, WireJson.Default.GroupChange));

    /// <summary>Its content is gone.</summary>
    public void Delete(long seq)
    {
        lock (_gate) (_log[(int)seq - 1].Deleted, _log[(int)seq - 1].Text) = (true, ByteString.Empty);
    }

    public override Task<GetEntriesReply> GetEntries(GetEntriesRequest request, ServerCallContext context)
    {
        Fail();
        lock (_gate)
        {
            var reply = new GetEntriesReply();
            reply.Entries.AddRange(_log.Skip((int)request.After).Take(request.Limit).Select(entry => entry.Clone()));
            return Task.FromResult(reply);
        }
    }

    public override Task<ListMembersReply> ListMembers(ListMembersRequest request, ServerCallContext context)
    {
        Fail();
        lock (_gate)
        {
            Pages++;
            var after = request.AfterUserId.IsEmpty ? default(UserId?) : request.AfterUserId.ToUserId();
            var rest = _members.Where(member => after is null || member.Key > after).Select(member => member.Value).ToArray();
            var reply = new ListMembersReply();
            reply.Members.AddRange(rest.Take(request.Limit).Select(member => member.Clone()));
            if (rest.Length > request.Limit) reply.Next = rest[request.Limit - 1].UserId;
            return Task.FromResult(reply);
        }
    }

    private long Append(UserId sender, EntryKind kind, byte[] text)
    {
        lock (_gate)
        {
            _log.Add(new()
            {
                ConversationId = Id.ToBytes(),
                Seq = _log.Count + 1,
                MessageId = new MessageId(Guid.NewGuid()).ToBytes(),
                SenderId = sender.ToBytes(),
                ClientMessageId = $"m{_log.Count}",
                Kind = kind,
                Text = ByteString.CopyFrom(text),
                CreatedAtMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
            });
            return _log.Count;
        }
    }

    private void Fail()
    {
        if (Interlocked.Decrement(ref _failures) >= 0) throw new RpcException(new(StatusCode.Unavailable, "it goes away"));
    }
}
