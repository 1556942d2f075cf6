using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.PushWorker;
using WhatsAspire.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddBackplane();
builder.AddQueue();
builder.AddPushSenders();
builder.AddPushWorker();

var app = builder.Build();
app.MapDefaultEndpoints();
return await app.RunServiceAsync();
