using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    /// <summary>Calls of one random sequence; a slower engine may take fewer.</summary>
    protected virtual int RandomSteps => 600;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(0)]
    public async Task A_random_sequence_of_calls_answers_as_the_model_does(int seed)
    {
        if (seed == 0) seed = Random.Shared.Next();
        var random = new RandomCalls(new(seed), this);
        for (var step = 1; step <= RandomSteps; step++)
        {
            try
            {
                await random.NextAsync();
                if (random.Chance(RandomSteps / 4)) await RestartAsync();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Assert.Fail($"seed {seed}, step {step}: {e}");
            }
        }
    }

    /// <summary>Makes the same random calls to the store and to a model, few users and conversations, so that they
    /// often meet.</summary>
    private sealed class RandomCalls
    {
        private readonly Random _random;
        private readonly MessageStoreConformance _test;
        private readonly ModelStore _model = new();
        private readonly UserId[] _users = [.. Enumerable.Range(0, 4).Select(_ => UserId.New())];
        private readonly ConversationShape[] _chats;
        private readonly List<(ConversationShape Chat, NewEntry Entry)> _sent = [];

        public RandomCalls(Random random, MessageStoreConformance test)
        {
            (_random, _test) = (random, test);
            _chats =
            [
                .. _users.SelectMany((a, i) => _users.Skip(i + 1).Select(b => ConversationShape.Direct(a, b))),
                ConversationShape.Direct(_users[0], _users[0]),
                .. Enumerable.Range(0, 3).Select(_ => ConversationShape.Group(ConversationId.NewGroup())),
            ];
        }

        public bool Chance(int oneIn) => _random.Next(oneIn) == 0;

        public async Task NextAsync()
        {
            var chat = Pick(_chats);
            var user = Chance(8) ? Pick(_users) : Sender(chat);
            var head = (await _model.GetConversationAsync(chat.Id, Token))?.HeadSeq ?? 0;
            var at = At(_random.Next(1_000));
            switch (_random.Next(10))
            {
                case <= 3:
                    await AppendAsync(chat, head);
                    break;
                case 4 when Chance(2):
                    MemberPosition[] members = [.. Shuffled(_users).Take(_random.Next(1, 5))
                        .SelectMany(u => Shuffled(_chats).Take(2).Select(c => new MemberPosition(u, (Chance(3) ? c : chat).Id, Seq(head), Seq(head))))
                        .DistinctBy(p => (p.User, p.Conversation))];
                    await BothAsync(s => s.AdvanceAsync(members, at, Token));
                    break;
                case 4:
                    NewPosition[] positions = [.. Shuffled(_chats).Take(_random.Next(1, 4))
                        .Select(c => new NewPosition(c.Id, Seq(head), Seq(head)))];
                    await BothAsync(s => s.AdvanceAsync(user, positions, at, Token));
                    break;
                case 5:
                    long[] seqs = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => Math.Max(1, Seq(head)))];
                    await BothAsync(s => s.HideAsync(chat.Id, user, seqs, at, Token));
                    break;
                case 6 when Chance(3):
                    var settings = new MemberSettings(
                        Chance(2) ? at : null, Chance(2) ? Chance(2) : null, Chance(2) ? Chance(2) : null);
                    await BothAsync(s => s.SetAsync(chat.Id, user, settings, at, Token));
                    break;
                case 6 when Chance(2):
                    var upTo = Seq(head);
                    await BothAsync(s => s.ClearAsync(chat.Id, user, upTo, at, Token));
                    break;
                case 7:
                    var (after, before, limit, newest) = (Seq(head), Chance(3) ? long.MaxValue : Seq(head) + 1, _random.Next(1, 20), Chance(2));
                    await BothAsync(async s => await s.ReadAsync(chat.Id, after, before, limit, newest, Token));
                    await BothAsync(async s => await s.ReadHiddenAsync(chat.Id, user, after, before, Token));
                    break;
                case 8:
                    await BothAsync(async s => await s.ListConversationsAsync(user, at, Token));
                    if (_sent.Count > 0)
                    {
                        var id = Pick(_sent).Entry.Id;
                        await BothAsync(async s => await s.FindAsync(id, Token));
                        var sent = Pick(_sent).Entry;
                        var hash = Chance(3) ? 1 : sent.ContentHash;
                        await BothAsync(async s => await s.FindSentAsync(sent.Sender, sent.ClientMessageId, hash, Token));
                    }

                    break;
                default:
                    var seq = Math.Max(1, Seq(head));
                    await BothAsync(async s => await s.GetReceiptTimesAsync(chat.Id, user, seq, Token));
                    await BothAsync(async s => await s.GetReceiptsAsync(chat.Id, seq, Token));
                    await BothAsync(async s => await s.GetViewAsync(chat.Id, user, Token));
                    await BothAsync(async s => await s.GetViewsAsync(chat.Id, _users, Token));
                    await BothAsync(async s => await s.GetMemberAsync(chat.Id, user, Token));
                    await BothAsync(async s => await s.GetMembersAsync(chat.Id, _users, Token));
                    await BothAsync(async s => await s.GetConversationAsync(chat.Id, Token));
                    break;
            }
        }

        private async Task AppendAsync(ConversationShape chat, long head)
        {
            var entries = new List<NewEntry>();
            for (var i = _random.Next(1, 4); i > 0; i--)
            {
                var sender = Sender(chat);
                var at = _random.Next(1_000);
                if (_sent.Count > 0 && Chance(5))
                {
                    // Again: as it was, or with another content, or in another conversation.
                    var known = Pick(_sent).Entry;
                    if (known.Kind == EntryKind.Delete) continue;
                    if (chat.Kind == ConversationKind.Direct) known = known with { Members = [] };
                    entries.Add(Chance(3) ? known with { Id = new(Guid.NewGuid()), ContentHash = 1 } : known with { Id = new(Guid.NewGuid()) });
                }
                else if (head > 0 && Chance(6))
                {
                    var target = _random.NextInt64(1, head + 1);
                    var entry = (await _model.ReadAsync(chat.Id, target - 1, target + 1, 1, false, Token))[0];
                    entries.Add(Delete(sender, entry, at));
                }
                else if (Chance(chat.Kind == ConversationKind.Group ? 3 : 6))
                {
                    entries.Add(System(sender, at) with { Members = chat.Kind == ConversationKind.Group ? Changes() : [] });
                }
                else
                {
                    entries.Add(Text(sender, new string('x', _random.Next(120)) + "😀" + _random.Next(), at));
                }
            }

            if (entries.Count == 0) return;
            await BothAsync(s => s.AppendAsync(chat, entries, Token));
            foreach (var entry in entries)
            {
                if (await _model.FindAsync(entry.Id, Token) is not null) _sent.Add((chat, entry));
            }
        }

        /// <summary>Of a group anybody, member or not.</summary>
        private UserId Sender(ConversationShape chat) => Pick(chat.Kind == ConversationKind.Group ? _users : chat.Members);

        private MemberChange[] Changes() =>
            [.. Shuffled(_users).Take(_random.Next(_users.Length + 1)).Select(user => new MemberChange(user, !Chance(3), Chance(2)))];

        private async Task BothAsync<T>(Func<IMessageStore, Task<T>> call) => Same(await call(_model), await call(_test.Store), call.Method.Name);

        private T Pick<T>(IReadOnlyList<T> of) => of[_random.Next(of.Count)];

        private T[] Shuffled<T>(T[] of)
        {
            var copy = of.ToArray();
            _random.Shuffle(copy);
            return copy;
        }

        /// <summary>Mostly within the log, now and then just beyond it.</summary>
        private long Seq(long head) => _random.NextInt64(head + 2);
    }
}
