using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>The whole message API with a store in memory and nobody to deliver to: what would be delivered can be looked at.</summary>
internal sealed class GroupApi : IAsyncDisposable
{
    private readonly TestApi _api;
    private readonly TestFolder _folder;
    private readonly bool _ownsFolder;

    private GroupApi(TestApi api, TestFolder folder, bool ownsFolder, TroubledStore store) =>
        (_api, _folder, _ownsFolder, Store) = (api, folder, ownsFolder, store);

    public TroubledStore Store { get; }
    public FakeTimeProvider Time => _api.Time;
    public GroupSweeper Sweeper => _api.Services.GetRequiredService<GroupSweeper>();
    public T Get<T>() where T : notnull => _api.Services.GetRequiredService<T>();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="settings">Such as <c>Groups:MaxMembers</c>.</param>
    /// <param name="beside">Another replica, with which it shares directory, store and clock.</param>
    public static async Task<GroupApi> StartAsync(Dictionary<string, string?>? settings = null, GroupApi? beside = null)
    {
        var folder = beside?._folder ?? new TestFolder();
        var store = beside?.Store ?? new TroubledStore(new ModelStore());
        var api = await TestApi.StartAsync(settings, folder, beside?.Time, app => app.MapMessaging(), builder =>
        {
            var services = builder.Services;
            services.AddSingleton<IMessageStore>(store);
            services.AddSingleton<LiveEvents>();
            services.AddSingleton<RedeliveryMetrics>();
            services.AddSingleton<RedeliveryOutbox>();
            services.AddSingleton<PushMetrics>();
            // Without Redis: nothing runs that would ask it.
            services.AddSingleton(_ => new PushedMarks(null!));
            services.AddSingleton(provider => new ActivityMarks(null!, provider.GetRequiredService<TimeProvider>(), NullLogger<ActivityMarks>.Instance));
            services.AddSingleton<PushOutbox>();
            builder.AddMessaging();
        });
        return new(api, folder, beside is null, store);
    }

    public async ValueTask DisposeAsync()
    {
        await _api.DisposeAsync();
        if (_ownsFolder) _folder.Dispose();
    }

    public async Task<Person> SignUpAsync(string name) => new(await _api.SignUpAsync(name));

    /// <summary>So many people.</summary>
    public async Task<Person[]> PeopleAsync(int count)
    {
        var people = new Person[count];
        for (var i = 0; i < count; i++) people[i] = await SignUpAsync($"user{i}");
        return people;
    }

    public Task<Answer> SendAsync(Person by, HttpMethod method, string path, object? body = null) => _api.SendAsync(method, path, body, by.Token);
    public Task<Answer> GetAsync(Person by, string path) => SendAsync(by, HttpMethod.Get, path);
    public Task<Answer> PostAsync(Person by, string path, object? body = null) => SendAsync(by, HttpMethod.Post, path, body);
    public Task<Answer> PutAsync(Person by, string path, object? body = null) => SendAsync(by, HttpMethod.Put, path, body);
    public Task<Answer> PatchAsync(Person by, string path, object body) => SendAsync(by, HttpMethod.Patch, path, body);
    public Task<Answer> DeleteAsync(Person by, string path) => SendAsync(by, HttpMethod.Delete, path);

    /// <summary>Makes a group of the first and the others.</summary>
    public async Task<string> GroupAsync(params Person[] people)
    {
        var made = await PostAsync(people[0], "/groups", new { name = "Hikers", member_ids = people[1..].Select(p => p.Id) });
        Assert.True(made.Status == HttpStatusCode.Created, made.Text);
        return made.Json.GetProperty("group_id").GetString()!;
    }

    /// <summary>Sends a text.</summary>
    public Task<Answer> TextAsync(Person by, string group, string text, string? id = null) =>
        PostAsync(by, "/messages", new { client_message_id = id ?? Guid.NewGuid().ToString(), conversation_id = group, text });

    /// <summary>The group's log: 'seq sender kind content', the sender by his place among the people.</summary>
    public async Task<string[]> LogAsync(string group, params Person[] people)
    {
        var text = (string value) => people.Select((p, i) => (p.Id, i)).Aggregate(value, (t, p) => t.Replace(p.Id, $"{p.i}", StringComparison.Ordinal));
        var entries = await Store.ReadAsync(new(Guid.Parse(group)), 0, long.MaxValue, 1000, false, Cancel);
        return [.. entries.Select(e => text($"{e.Seq} {e.Sender} {e.Kind} {Encoding.UTF8.GetString(e.Text.Span)}"))];
    }

    /// <summary>What was handed to live delivery since the last look, in order: 'kind to whom frame'.</summary>
    public List<(string Kind, UserId[] To, JsonElement Frame, UserId? PushesFrom)> Delivered()
    {
        var found = new List<(string, UserId[], JsonElement, UserId?)>();
        foreach (var lane in Get<LiveEvents>().Lanes)
            while (lane.TryRead(out var live))
                found.Add((live.Kind.ToString(), [.. live.Users.Order()], JsonDocument.Parse(live.Frame).RootElement, live.PushesFrom));
        return found;
    }
}

internal sealed class Person(SignedIn signedIn)
{
    public string Id => signedIn.UserId;
    public UserId UserId => new(Guid.Parse(signedIn.UserId));
    public string Token => signedIn.AccessToken;
}
