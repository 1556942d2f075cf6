using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using WhatsAspire.MessageApi.Storage.Rocks;
using Xunit;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>What is stored of members of groups, by this program and by those before it.</summary>
public sealed class MemberRowsTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0)]
    [InlineData(70)]
    [Trait("Requirement", "R22")]
    public void A_member_of_a_group_is_read_as_he_was_written(long seesAfter)
    {
        var member = Read(to => GroupMemberRow.Write(
            new() { User = UserId.New(), JoinSeq = 70, DeliveredSeq = 300, ReadSeq = 200, ClearedSeq = 100, LeftSeq = 400, LeftAt = At, SeesAfter = seesAfter }, to));
        Assert.Equal(new MemberState(70, 300, 200, 100, 400) { SeesAfter = seesAfter }, member.State);
        Assert.Equal(At, member.LeftAt);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public void A_row_from_before_anybody_saw_history_is_of_one_who_sees_from_his_coming_on()
    {
        var member = Read(to => to.Start(1)
            .Number(70).Number(300).Number(200).Number(100)
            .Number(150).Time(At)
            .Number(400).Number(160).Time(At));
        Assert.Equal(new MemberState(70, 300, 200, 100, 400), member.State);
        Assert.Equal(70, member.State.SeesAfter);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public void Changes_of_members_are_read_as_they_were_written()
    {
        MemberChange[] members = [new(UserId.New(), true), new(UserId.New(), false), new(UserId.New(), true, SeesHistory: true)];
        var column = new AppendedChanges(7, 3, At, 5, members).Write();
        var read = AppendedChanges.Read(7, 3, At, column);
        Assert.Equal((7, 3, At, 5), (read.Seq, read.Visible, read.At, read.Before));
        Assert.Equal(members, read.Members);
        // A program from before would take who sees history for one who leaves: it must not read it.
        Assert.Equal(2, column[0]);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public void Changes_without_history_stand_as_they_always_did()
    {
        var (alice, bob) = (UserId.New(), UserId.New());
        byte[] before = [1, 0, 0, 0, 0, 0, 0, 0, 5, .. alice.Value.ToByteArray(bigEndian: true), 1, .. bob.Value.ToByteArray(bigEndian: true), 0];
        MemberChange[] members = [new(alice, true), new(bob, false)];
        Assert.Equal(members, AppendedChanges.Read(7, 3, At, before).Members);
        Assert.Equal(before, new AppendedChanges(7, 3, At, 5, members).Write());
        before[0] = 3;
        Assert.Throws<InvalidDataException>(() => AppendedChanges.Read(7, 3, At, before));
    }

    private static MemberRow Read(Action<RowWriter> write)
    {
        var row = new RowWriter();
        write(row);
        return GroupMemberRow.Read(UserId.New(), row.Written);
    }
}
