using System.Text.Json;
using System.Text.Json.Serialization;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge;

/// <summary>Problem details (RFC 9457) for what the edge itself refuses over HTTP; MessageApi writes its own.</summary>
internal static partial class EdgeProblems
{
    public static Task WriteAsync(HttpContext context, int status, Error error)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        var problem = new Problem("about:blank", Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status), status,
            error.Message, error.Code.Word(), error.Message, error.Code.IsRetryable(), (long?)error.RetryAfter?.TotalMilliseconds);
        return JsonSerializer.SerializeAsync(context.Response.Body, problem, ProblemJson.Default.Problem, context.RequestAborted);
    }

    internal sealed record Problem(
        string Type, string Title, int Status, string Detail, string Code, string Message, bool Retryable, long? RetryAfterMs);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(Problem))]
    private sealed partial class ProblemJson : JsonSerializerContext;
}
