using WhatsAspire.MessageApi.Directory.Sqlite;
using WhatsAspire.MessageApi.Users;

var builder = WebApplication.CreateBuilder(args);
builder.AddSqliteDirectory();
builder.AddUsers();

var app = builder.Build();
app.MapUsers();
app.Run();
