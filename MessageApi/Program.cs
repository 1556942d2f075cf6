using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.MessageApi;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Users;
using WhatsAspire.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddBackplane();
builder.AddQueue();
builder.AddMessageStore();
builder.AddDirectory();
builder.AddUsers();
builder.AddMessaging();

var app = builder.Build();
app.UseForwardedHeaders();
app.MapUsers();
app.MapMessaging();
app.MapDefaultEndpoints();
return await app.RunServiceAsync();
