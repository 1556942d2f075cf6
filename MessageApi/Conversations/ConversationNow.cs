using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Conversations;

/// <summary>A conversation, and who is in it now.</summary>
/// <param name="Shape">As the store knows it.</param>
/// <param name="Members">Of a group what the directory says, at most a second old.</param>
/// <param name="Group">Of a group.</param>
internal sealed record ConversationNow(ConversationShape Shape, IReadOnlyList<UserId> Members, GroupSnapshot? Group = null)
{
    public static ConversationNow Direct(ConversationShape shape) => new(shape, shape.Members);

    public static ConversationNow Of(GroupSnapshot group) => new(ConversationShape.Group(group.Id), group.Members, group);

    /// <summary>The members but one.</summary>
    public UserId[] Others(UserId user)
    {
        var others = new List<UserId>(Members.Count);
        foreach (var member in Members)
            if (member != user) others.Add(member);
        return [.. others];
    }
}
