using System.Runtime.Versioning;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WhatsAspire.EngineHost;
using WhatsAspire.ServiceDefaults;

[assembly: SupportedOSPlatform("linux")]

var builder = Host.CreateApplicationBuilder(args);
builder.AddServiceDefaults();
builder.Services.AddOptions<EngineHostOptions>()
    .BindConfiguration(EngineHostOptions.SectionName)
    .ValidateOnStart();
builder.Services.AddSingleton<IValidateOptions<EngineHostOptions>, EngineHostOptionsValidator>();
builder.Services.AddHostedService<EngineChild>();
return await builder.Build().RunServiceAsync() is not 0 and var code ? code : Environment.ExitCode;
