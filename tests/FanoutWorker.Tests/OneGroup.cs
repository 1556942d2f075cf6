using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>A directory with one group.</summary>
internal sealed class OneGroup : IGroupMembers
{
    private UserId[] _members = [];

    public ConversationId Id { get; } = ConversationId.NewGroup();

    public IReadOnlyList<UserId> Members => _members;

    public int Count
    {
        set
        {
            var members = new UserId[value];
            for (var i = 0; i < value; i++) members[i] = UserId.New();
            Array.Sort(members);
            _members = members;
        }
    }

    public ValueTask<GroupSnapshot?> FindAsync(ConversationId group, CancellationToken cancellationToken) => new(group == Id
        ? new GroupSnapshot(Id, "Us", false, _members, _members.ToDictionary(member => member, _ => GroupRole.Member))
        : null);
}
