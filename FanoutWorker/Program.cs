using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.FanoutWorker;
using WhatsAspire.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddBackplane();
builder.AddQueue();
builder.AddFanoutWorker();

var app = builder.Build();
app.MapDefaultEndpoints();
return await app.RunServiceAsync();
