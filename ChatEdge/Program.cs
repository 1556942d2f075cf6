using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.ChatEdge;
using WhatsAspire.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddConnections();
builder.AddBackplane();
builder.AddQueue();
builder.AddRestProxy();

var app = builder.Build();
app.MapConnections();
app.MapDefaultEndpoints();
app.MapRestProxy();
return await app.RunServiceAsync();
