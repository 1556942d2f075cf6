using WhatsAspire.PushGateways;
using WhatsAspire.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddPushGateways();

var app = builder.Build();
app.MapPushGateways();
app.MapDefaultEndpoints();
return await app.RunServiceAsync();
