using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.EmbeddedRedis;
using WhatsAspire.ServiceDefaults;

var builder = Host.CreateApplicationBuilder(args);
builder.AddServiceDefaults();

// Garnet tells its sizes and each step of a recovery at Information, under a dozen category names.
builder.Logging.AddFilter(level => level >= LogLevel.Warning)
    .AddFilter(nameof(WhatsAspire), LogLevel.Information)
    .AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);

builder.Services.AddOptions<EmbeddedRedisOptions>()
    .BindConfiguration(EmbeddedRedisOptions.SectionName)
    .ValidateOnStart();
builder.Services.AddSingleton<IValidateOptions<EmbeddedRedisOptions>, EmbeddedRedisOptionsValidator>();
builder.Services.AddHostedService<EmbeddedRedisServer>();
return await builder.Build().RunServiceAsync();
