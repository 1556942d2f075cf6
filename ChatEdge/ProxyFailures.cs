using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;
using Yarp.ReverseProxy.Forwarder;

namespace WhatsAspire.ChatEdge;

/// <summary>What a client is told when a REST request did not get through to the message service.</summary>
internal static class ProxyFailures
{
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
