using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace WhatsAspire.PushGateways;

/// <summary>What stands in for one provider. One is attached to each connection, by the port that it came to.</summary>
internal interface IGateway
{
    Task HandleAsync(HttpContext context);
}

/// <summary>What the gateways share: the clock, the script, and where all goes that arrives.</summary>
internal sealed class GatewayCore(PushGatewayOptions options)
{
    public PushGatewayOptions Options => options;
    public TimeProvider Time => options.Time;
    public PushScript Script { get; } = new();
    public Inbox Inbox { get; } = new();

    /// <summary>Takes a notification that is in order, or does with it what the script says.</summary>
    public async Task DeliverAsync(HttpContext context, ReceivedPush push, Func<Behaviour, Task> refuse, Func<Task> accept)
    {
        var behaviour = Script.Next(push.Provider, push.Token);
        if (behaviour?.Reason is not null)
        {
            await refuse(behaviour);
            return;
        }
        // Whoever saw the notification arrive may move the clock: the wait has begun by then.
        var late = Late(context, behaviour);
        Inbox.Add(push with { At = Time.GetUtcNow() });
        if (await ComesToAnswerAsync(context, behaviour, late, push.Provider, push.Token)) await accept();
    }

    /// <summary>The wait before an answer.</summary>
    public Task Late(HttpContext context, Behaviour? behaviour) =>
        behaviour is not null && behaviour.Delay > TimeSpan.Zero ? Task.Delay(behaviour.Delay, Time, context.RequestAborted) : Task.CompletedTask;

    /// <summary>Waits, or cuts the connection, as the behaviour says.</summary>
    /// <returns>Whether there is to be an answer.</returns>
    public async Task<bool> ComesToAnswerAsync(HttpContext context, Behaviour? behaviour, Task late, string provider, string token)
    {
        if (behaviour is { IsCut: true })
        {
            Note(context, provider, token, 0, "");
            context.Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();
            return false;
        }
        try
        {
            await late;
            return true;
        }
        catch (OperationCanceledException)
        {
            Note(context, provider, token, 0, "");
            return false;
        }
    }

    /// <summary>Keeps what was answered.</summary>
    public void Note(HttpContext context, string provider, string token, int status, string reason) =>
        Inbox.Add(new AnsweredRequest(provider, token, status, reason, context.Request.Headers.Authorization.ToString(), context.Connection.Id));

    /// <summary>The body, if it has no more bytes than that; of a longer one null.</summary>
    public static async Task<byte[]?> ReadBodyAsync(HttpContext context, int limit)
    {
        var buffer = new byte[limit + 1];
        var length = 0;
        int read;
        while (length < buffer.Length && (read = await context.Request.Body.ReadAsync(buffer.AsMemory(length), context.RequestAborted)) > 0)
            length += read;
        return length > limit ? null : buffer[..length];
    }

    public static void SetRetryAfter(HttpContext context, TimeSpan? wait)
    {
        if (wait is { } time) context.Response.Headers.RetryAfter = ((long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Answers with JSON.</summary>
    public static async Task WriteAsync(HttpContext context, int status, JsonNode body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=UTF-8";
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }
}
