using Grpc.Core;
using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Fanout.V1;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>What MessageApi tells a worker.</summary>
[Trait("Requirement", "R21")]
public sealed class FanoutStateTests
{
    private readonly ModelStore _store = new();
    private readonly OneGroup _group = new();
    private readonly MessageIdGenerator _ids = new(TimeProvider.System);
    private FanoutGrpcService Service => new(_store, _group);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Members_come_in_pages_in_the_order_of_their_ids_with_what_each_may_see()
    {
        _group.Count = 7;
        await AppendAsync(EntryKind.System, [.. _group.Members.Take(6).Select(user => new MemberChange(user, true))]);
        await AppendAsync(EntryKind.Text);
        await AppendAsync(EntryKind.System, new MemberChange(_group.Members[6], true), new MemberChange(_group.Members[0], false));

        var all = new List<Member>();
        var request = new ListMembersRequest { ConversationId = _group.Id.ToBytes(), Limit = 3 };
        var pages = 0;
        do
        {
            var page = await Service.ListMembers(request, Call());
            all.AddRange(page.Members);
            request.AfterUserId = page.Next;
            pages++;
        }
        while (!request.AfterUserId.IsEmpty);

        Assert.Equal(3, pages);
        Assert.Equal(_group.Members, all.Select(member => member.UserId.ToUserId()));
        // Who is in the directory's group still, and has left by the log, sees nothing after that.
        Assert.Equal([0, 0, 0, 0, 0, 0, 2], all.Select(member => member.JoinSeq));
        Assert.Equal([3, 0, 0, 0, 0, 0, 0], all.Select(member => member.LeftSeq));
    }

    [Fact]
    public async Task Who_is_in_the_directory_and_not_in_the_log_yet_is_passed_over_and_ends_no_listing()
    {
        _group.Count = 4;
        await AppendAsync(EntryKind.System, new MemberChange(_group.Members[3], true));
        var request = new ListMembersRequest { ConversationId = _group.Id.ToBytes(), Limit = 2 };
        var first = await Service.ListMembers(request, Call());
        Assert.Empty(first.Members);
        request.AfterUserId = first.Next;
        var last = await Service.ListMembers(request, Call());
        Assert.Equal(_group.Members[3], Assert.Single(last.Members).UserId.ToUserId());
        Assert.True(last.Next.IsEmpty);
    }

    [Fact]
    public async Task A_group_that_does_not_exist_has_no_members_and_no_entries()
    {
        var id = ConversationId.NewGroup().ToBytes();
        Assert.Empty((await Service.ListMembers(new() { ConversationId = id, Limit = 500 }, Call())).Members);
        Assert.Empty((await Service.GetEntries(new() { ConversationId = id, Limit = 1 }, Call())).Entries);
    }

    [Fact]
    public async Task Entries_are_as_they_are_now()
    {
        _group.Count = 1;
        await AppendAsync(EntryKind.System, new MemberChange(_group.Members[0], true));
        await AppendAsync(EntryKind.Text);
        var entry = Assert.Single((await Service.GetEntries(new() { ConversationId = _group.Id.ToBytes(), After = 1, Limit = 1 }, Call())).Entries);
        Assert.Equal((2, "hello"), (entry.Seq, entry.Text.ToStringUtf8()));
        await _store.AppendAsync(ConversationShape.Group(_group.Id), [New(EntryKind.Delete) with { TargetSeq = 2, Target = entry.MessageId.ToMessageId(), Text = default }], Cancel);
        entry = Assert.Single((await Service.GetEntries(new() { ConversationId = _group.Id.ToBytes(), After = 1, Limit = 1 }, Call())).Entries);
        Assert.Equal((2, "", true), (entry.Seq, entry.Text.ToStringUtf8(), entry.Deleted));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(501)]
    public async Task What_breaks_the_contract_is_refused(int limit)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() => Service.ListMembers(new() { ConversationId = _group.Id.ToBytes(), Limit = limit }, Call()));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        refused = await Assert.ThrowsAsync<RpcException>(() => Service.GetEntries(new() { Limit = 1 }, Call()));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
    }

    private async Task AppendAsync(EntryKind kind, params MemberChange[] changes) =>
        await _store.AppendAsync(ConversationShape.Group(_group.Id), [New(kind) with { Members = changes }], Cancel);

    private NewEntry New(EntryKind kind) => new()
    {
        Id = _ids.Next(),
        Sender = _group.Members[0],
        ClientMessageId = Guid.NewGuid().ToString(),
        Kind = kind,
        Text = "hello"u8.ToArray(),
        CreatedAt = TimeProvider.System.GetUtcNow(),
        ContentHash = 1,
    };

    private static NoCall Call() => new NoCall();

    private sealed class NoCall : ServerCallContext
    {
        protected override string MethodCore => "";
        protected override string HostCore => "";
        protected override string PeerCore => "";
        protected override DateTime DeadlineCore => DateTime.MaxValue;
        protected override Metadata RequestHeadersCore => [];
        protected override CancellationToken CancellationTokenCore => Cancel;
        protected override Metadata ResponseTrailersCore => [];
        protected override Status StatusCore { get; set; }
        protected override WriteOptions? WriteOptionsCore { get; set; }
        protected override AuthContext AuthContextCore => new(null, []);
        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();
        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
