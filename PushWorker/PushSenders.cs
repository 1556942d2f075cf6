using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using WhatsAspire.PushWorker.Apns;
using WhatsAspire.PushWorker.Fcm;
using WhatsAspire.PushWorker.WebPush;

namespace WhatsAspire.PushWorker;

/// <summary>The senders of the providers whose credentials are configured.</summary>
internal static class PushSenders
{
    /// <summary>The setting that names a further settings file, as the development gateways write it. What it says goes
    /// before what other sources say.</summary>
    public const string SettingsPath = SenderOptions.SectionName + ":SettingsPath";

    /// <summary>Adds an <see cref="IPushSender"/> for each provider that has credentials; none where none has.</summary>
    public static IHostApplicationBuilder AddPushSenders(this IHostApplicationBuilder builder)
    {
        if (builder.Configuration[SettingsPath] is { Length: > 0 } path)
            builder.Configuration.AddJsonFile(Path.GetFullPath(path), optional: false, reloadOnChange: false);

        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddSingleton<PushSenderMetrics>();
        AddOptions<SenderOptions, SenderOptionsValidator>(services, SenderOptions.SectionName);

        if (IsSet(builder, ApnsOptions.SectionName, nameof(ApnsOptions.KeyPath)))
            AddSender<ApnsSender, ApnsOptions, ApnsOptionsValidator>(services, ApnsOptions.SectionName);
        if (IsSet(builder, FcmOptions.SectionName, nameof(FcmOptions.ServiceAccountPath)))
            AddSender<FcmSender, FcmOptions, FcmOptionsValidator>(services, FcmOptions.SectionName);
        if (IsSet(builder, WebPushOptions.SectionName, nameof(WebPushOptions.KeyPath)))
            AddSender<WebPushSender, WebPushOptions, WebPushOptionsValidator>(services, WebPushOptions.SectionName);
        return builder;
    }

    private static bool IsSet(IHostApplicationBuilder builder, string section, string name) =>
        !string.IsNullOrEmpty(builder.Configuration[$"{section}:{name}"]);

    private static void AddSender<TSender, TOptions, TValidator>(IServiceCollection services, string section)
        where TSender : class, IPushSender
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        AddOptions<TOptions, TValidator>(services, section);
        services.AddSingleton<TSender>();
        services.AddSingleton<IPushSender>(provider => new MeasuredSender(
            provider.GetRequiredService<TSender>(), provider.GetRequiredService<PushSenderMetrics>(), provider.GetRequiredService<TimeProvider>()));
    }

    private static void AddOptions<TOptions, TValidator>(IServiceCollection services, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        services.AddOptions<TOptions>().BindConfiguration(section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<TOptions>, TValidator>();
    }
}
