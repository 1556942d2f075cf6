using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Push.V1;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>What MessageApi would say of one user and one conversation, and what it is told. Safe for concurrent use.</summary>
internal sealed class ScriptedState : PushState.PushStateBase
{
    private readonly Lock _gate = new();
    private readonly GetPushReply _reply = new() { Summary = new(), SenderName = "Ann", Text = "Are you there?", Badge = 1 };
    private readonly List<PushOutcome> _reported = [];

    public UserId User { get; } = UserId.New();

    public ConversationId Conversation { get; } = new(Guid.NewGuid());

    /// <summary>All outcomes so far.</summary>
    public IReadOnlyList<PushOutcome> Reported
    {
        get
        {
            lock (_gate) return [.. _reported];
        }
    }

    /// <summary>How often it was asked.</summary>
    public int Asked { get; private set; }

    /// <summary>Fails the next calls as a replica that is going away does.</summary>
    public int Failures { get; set; }

    /// <summary>The newest message that the user has not read.</summary>
    public void Newest(long seq)
    {
        lock (_gate) (_reply.Seq, _reply.MessageId, _reply.CreatedAtMs) = (seq, new MessageId(Guid.NewGuid()).ToBytes(), TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
    }

    /// <summary>The user read up to here.</summary>
    public void Read(long seq)
    {
        lock (_gate) (_reply.Summary.ReadSeq, _reply.Summary.DeliveredSeq, _reply.Seq, _reply.Badge) = (seq, seq, 0, 0);
    }

    /// <summary>What the user sees of the conversation.</summary>
    public void See(Action<Contracts.Messaging.V1.Summary> change)
    {
        lock (_gate) change(_reply.Summary);
    }

    /// <summary>Some device has it.</summary>
    public void Delivered(long seq)
    {
        lock (_gate) _reply.Summary.DeliveredSeq = seq;
    }

    /// <summary>Registers a device.</summary>
    public void Add(PushAddress device)
    {
        lock (_gate) _reply.Targets.Add(new PushTarget
        {
            DeviceId = device.Device.ToBytes(),
            Provider = device.Provider,
            Token = device.Token,
            RegisteredAtMs = 1,
        });
    }

    public override Task<GetPushReply> GetPush(GetPushRequest request, ServerCallContext context)
    {
        lock (_gate)
        {
            Asked++;
            if (Failures > 0)
            {
                Failures--;
                throw new RpcException(new Status(StatusCode.Unavailable, "going away"));
            }

            return Task.FromResult(request.UserId == User.ToBytes() && request.ConversationId == Conversation.ToBytes() ? _reply.Clone() : new());
        }
    }

    public override Task<ReportPushReply> ReportPush(ReportPushRequest request, ServerCallContext context)
    {
        lock (_gate)
        {
            foreach (var outcome in request.Outcomes)
            {
                _reported.Add(outcome);
                var target = _reply.Targets.Single(one => one.DeviceId == outcome.DeviceId);
                target.PushedSeq = Math.Max(target.PushedSeq, outcome.PushedSeq);
                target.ClearedSeq = Math.Max(target.ClearedSeq, outcome.ClearedSeq);
                if (outcome.DeadAtMs >= target.RegisteredAtMs) _reply.Targets.Remove(target);
            }

            return Task.FromResult(new ReportPushReply());
        }
    }
}
