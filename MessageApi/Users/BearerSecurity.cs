using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Says in the OpenAPI document how to authenticate.</summary>
internal sealed class BearerSecurity : IOpenApiDocumentTransformer
{
    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Components ??= new();
        document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        document.Components.SecuritySchemes[AccessTokens.Scheme] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "The access_token of POST /tokens.",
        };
        return Task.CompletedTask;
    }
}
