using System.Data.Common;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.Contracts;

namespace WhatsAspire.ServiceDefaults;

/// <summary>A refusal on the wire: problem details (RFC 9457) with the members that every error of ours has.</summary>
public sealed record ProblemBody(
    string Type, string Title, int Status, string Detail, string Code, string Message, bool Retryable, long? RetryAfterMs);

/// <summary>Answers requests with problem details: <see cref="Problem"/> for a handler's own refusals, and one place for
/// all that goes wrong before or around handlers.</summary>
public static class Problems
{
    /// <summary>The result that refuses a request.</summary>
    public static ProblemResult Problem(Error error) => new(error);

    /// <summary>Bad bodies and arguments become problems with a reason instead of empty answers.</summary>
    public static IServiceCollection AddProblems(this IServiceCollection services)
    {
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.AddExceptionHandler<ProblemExceptionHandler>();
        return services;
    }

    /// <summary>Answers with problem details wherever nobody else answers: exceptions, unknown addresses, wrong methods,
    /// bodies that are too large. Comes before every other middleware.</summary>
    public static IApplicationBuilder UseProblems(this IApplicationBuilder app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = _ => Task.CompletedTask,
            AllowStatusCode404Response = true,
        });
        app.UseStatusCodePages(pages => ForStatus(pages.HttpContext).ExecuteAsync(pages.HttpContext));
        return app;
    }

    /// <summary>Refuses bodies larger than that, in bytes, as <c>too_large</c>.</summary>
    public static TBuilder WithBodyLimit<TBuilder>(this TBuilder builder, long bytes) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new BodyLimit(bytes));

    private sealed record BodyLimit(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;

    private static ProblemResult ForStatus(HttpContext context)
    {
        var request = context.Request;
        return context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => new(new(ErrorCode.NotFound, "no such address")),
            StatusCodes.Status405MethodNotAllowed => new(
                Error.Invalid($"{request.Method} is not offered here; {context.Response.Headers.Allow} is"), StatusCodes.Status405MethodNotAllowed),
            StatusCodes.Status413PayloadTooLarge => new(TooLarge(context)),
            StatusCodes.Status415UnsupportedMediaType => new(
                new(ErrorCode.BadFrame, "the body must be JSON, with Content-Type: application/json"), StatusCodes.Status415UnsupportedMediaType),
            StatusCodes.Status401Unauthorized => new(new(ErrorCode.Unauthenticated, "an access token is needed: 'Authorization: Bearer …'")),
            StatusCodes.Status403Forbidden => new(new(ErrorCode.Forbidden, "the caller may not do this")),
            StatusCodes.Status503ServiceUnavailable => new(Error.Unavailable("the service can't answer now")),
            >= 500 and var status => new(new(ErrorCode.Internal, "the server failed"), status),
            var status => new(new(ErrorCode.InvalidArgument, ReasonPhrases.GetReasonPhrase(status)), status),
        };
    }

    /// <summary>What an exception means to the client, and the status where it is not the code's own.</summary>
    internal static ProblemResult ForException(Exception exception, HttpContext context) => exception switch
    {
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => new(TooLarge(context)),
        BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => new(
            new(ErrorCode.BadFrame, "the body must be JSON, with Content-Type: application/json"), StatusCodes.Status415UnsupportedMediaType),
        BadHttpRequestException { InnerException: JsonException json } => new(ForJson(json)),
        BadHttpRequestException bad => new(ForBinding(bad.Message)),
        // The transport or the database is in trouble, not the request.
        DbException or TimeoutException or UnavailableException => new(Error.Unavailable("a part that is needed does not answer now")),
        _ => new(new(ErrorCode.Internal, "the server failed")),
    };

    // The exception handler's middleware takes the endpoint off the request, and keeps it here.
    internal static Endpoint? EndpointOf(HttpContext context) =>
        context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;

    private static Error TooLarge(HttpContext context)
    {
        var limit = EndpointOf(context)?.Metadata.GetMetadata<IRequestSizeLimitMetadata>()?.MaxRequestBodySize;
        return new(ErrorCode.TooLarge, limit is null ? "the body is too large" : $"the body is larger than {limit} bytes");
    }

    // 'Failed to bind parameter "int limit" from "many".', 'Required parameter "int limit" was not provided from query
    // string.', and the same for a body that is empty or null: in the last case the parameter is our own affair.
    private static Error ForBinding(string message)
    {
        if (message.EndsWith(" from body.", StringComparison.Ordinal) || message.StartsWith("Implicit body", StringComparison.Ordinal))
            return new(ErrorCode.BadFrame, "the body must be a JSON object");
        var name = message.Split('"') is [_, var parameter, ..] ? parameter.Split(' ')[^1] : null;
        if (name is null) return Error.Invalid("the request can't be read");
        return message.StartsWith("Required", StringComparison.Ordinal)
            ? Error.Invalid($"{name} is missing") : Error.Invalid($"{name} has a value of the wrong form");
    }

    private static Error ForJson(JsonException json)
    {
        var member = json.Path is { Length: > 2 } path && path.StartsWith("$.", StringComparison.Ordinal) ? path[2..] : null;
        // What the reader says to an escape such as \ud800 alone, which no string can hold. It has no type of its own,
        // and shares this one with members of the wrong type; a test holds the word.
        if (member is not null && json.InnerException is InvalidOperationException { InnerException: null } reading
            && reading.Message.Contains("surrogate", StringComparison.OrdinalIgnoreCase))
            return Error.Invalid($"{member} holds half of a surrogate pair");
        if (member is not null)
            return new(ErrorCode.BadFrame, $"{member} is of the wrong type, or the JSON is broken there (line {json.LineNumber + 1}, byte {json.BytePositionInLine})");
        return json.LineNumber is null
            ? new(ErrorCode.BadFrame, "the body must be a JSON object")
            : new(ErrorCode.BadFrame, $"the body is not a JSON object that can be read (line {json.LineNumber + 1}, byte {json.BytePositionInLine})");
    }
}

/// <summary>Refuses a request with problem details.</summary>
public sealed class ProblemResult : IResult, IStatusCodeHttpResult, IValueHttpResult<ProblemBody>, IContentTypeHttpResult, IEndpointMetadataProvider
{
    private const string MediaType = "application/problem+json";

    /// <param name="error">Why.</param>
    /// <param name="status">Where HTTP has a closer status than the code's own.</param>
    public ProblemResult(Error error, int? status = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        Error = error;
        var code = status ?? error.Code.HttpStatus();
        Value = new(
            "about:blank", ReasonPhrases.GetReasonPhrase(code), code, error.Message, error.Code.Word(), error.Message,
            error.Code.IsRetryable(), error.RetryAfter is { } after ? (long)Math.Ceiling(after.TotalMilliseconds) : null);
    }

    public Error Error { get; }
    public ProblemBody Value { get; }
    public string ContentType => MediaType;
    int? IStatusCodeHttpResult.StatusCode => Value.Status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var response = httpContext.Response;
        response.StatusCode = Value.Status;
        if (Value.RetryAfterMs is { } after)
            response.Headers.RetryAfter = ((after + 999) / 1000).ToString(CultureInfo.InvariantCulture);
        return response.WriteAsJsonAsync(Value, ProblemJson.Default.ProblemBody, MediaType, httpContext.RequestAborted);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status400BadRequest, typeof(ProblemBody), [MediaType]));
    }
}

/// <summary>Turns exceptions that reach the top into problem details. Never tells more than the code's own sentence.</summary>
internal sealed class ProblemExceptionHandler(ILogger<ProblemExceptionHandler> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        // The client is gone: there is nobody to answer.
        if (httpContext.RequestAborted.IsCancellationRequested && exception is OperationCanceledException) return true;
        var problem = Problems.ForException(exception, httpContext);
        if (problem.Value.Status >= StatusCodes.Status500InternalServerError)
            ProblemLog.RequestFailed(log, httpContext.Request.Method, Problems.EndpointOf(httpContext)?.DisplayName ?? "-", exception);
        await problem.ExecuteAsync(httpContext);
        return true;
    }
}

internal static partial class ProblemLog
{
    [LoggerMessage(7010, LogLevel.Error, "{Method} at {Endpoint} failed")]
    public static partial void RequestFailed(ILogger logger, string method, string endpoint, Exception exception);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProblemBody))]
internal sealed partial class ProblemJson : JsonSerializerContext;
