using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;
using Yarp.ReverseProxy.Forwarder;

namespace WhatsAspire.ChatEdge;

/// <summary>What a client is told when a REST request did not get through to the message service.</summary>
internal static class ProxyFailures
{
    /// <summary>Refuses a body that no endpoint takes. The message service would refuse it too, and close the connection with most of
    /// the body unread, where its answer may be lost.</summary>
    /// <returns>Null: it may go on.</returns>
    public static Task? RefuseTooLarge(HttpContext context) => context.Request.ContentLength > Limits.FrameBytes
        ? new ProblemResult(new Error(ErrorCode.TooLarge, $"the body is larger than {Limits.FrameBytes} bytes")).ExecuteAsync(context)
        : null;

    public static Task DescribeAsync(HttpContext context)
    {
        if (context.Features.Get<IForwarderErrorFeature>() is not { } failure || context.Response.HasStarted
            || context.RequestAborted.IsCancellationRequested) return Task.CompletedTask;
        var error = failure.Error is ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled
            ? Error.Invalid("the request's body ended early")
            : Error.Unavailable("the message service does not answer; try again in a moment");
        return new ProblemResult(error).ExecuteAsync(context);
    }
}
