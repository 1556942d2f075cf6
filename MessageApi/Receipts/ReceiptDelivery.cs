using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Receipts;

/// <summary>Positions that come over REST: raised, and delivered live by this process.</summary>
internal sealed class ReceiptDelivery(ReceiptService receipts, LiveEvents live)
{
    /// <summary>What holds now, with the user's summary; or why the position was refused.</summary>
    public async Task<Outcome<Advanced>> AdvanceAsync(UserId user, NewPosition position, CancellationToken cancellationToken)
    {
        var advanced = (await receipts.AdvanceAsync(user, [position], withSummaries: true, isRepeated: false, cancellationToken)).Advanced[0];
        if (advanced.Fault is { } fault) return Faults.ToError(fault);
        LiveMessages.RouteReceipt(live, user, advanced, null);
        return advanced;
    }
}
