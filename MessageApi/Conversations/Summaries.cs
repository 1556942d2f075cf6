using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Storage;
using ConversationKind = WhatsAspire.MessageApi.Storage.ConversationKind;

namespace WhatsAspire.MessageApi.Conversations;

/// <summary>Conversations as users see them: the store's part, and of groups what the directory calls them. Who has left a group,
/// or was in one that is gone, still sees the name that it had then, though not how many are in it.</summary>
internal sealed class Summaries(IDirectory directory, IGroupMembers groups)
{
    /// <summary>One conversation; of a group at most a second old.</summary>
    public async ValueTask<Summary> ToWireAsync(ConversationView view, UserId user, CancellationToken cancellationToken)
    {
        if (view.Shape.Kind != ConversationKind.Group) return view.ToWire(user, null);
        if (view.Member.LeftSeq == 0 && await groups.FindAsync(view.Shape.Id, cancellationToken) is { } snapshot && snapshot.Has(user))
            return view.ToWire(user, new(snapshot.Name, snapshot.Members.Count));
        return (await ToWireAsync([view], user, cancellationToken))[0];
    }

    /// <summary>Many, in their order, with one look at the directory.</summary>
    public async ValueTask<IReadOnlyList<Summary>> ToWireAsync(
        IReadOnlyList<ConversationView> views, UserId user, CancellationToken cancellationToken)
    {
        var ids = new List<ConversationId>();
        foreach (var view in views)
            if (view.Shape.Kind == ConversationKind.Group) ids.Add(view.Shape.Id);
        var titles = new Dictionary<ConversationId, GroupTitle>(ids.Count);
        if (ids.Count > 0)
            foreach (var group in await directory.FindGroupsAsync(ids, user, cancellationToken))
                titles[group.Id] = new(group.Name, group.MemberCount);
        var summaries = new Summary[views.Count];
        for (var i = 0; i < summaries.Length; i++) summaries[i] = views[i].ToWire(user, titles.GetValueOrDefault(views[i].Shape.Id));
        return summaries;
    }
}

/// <param name="Name">What the group is called.</param>
/// <param name="MemberCount">How many are in it.</param>
internal sealed record GroupTitle(string Name, int MemberCount);
