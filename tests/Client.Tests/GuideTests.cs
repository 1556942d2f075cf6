using System.Runtime.CompilerServices;

namespace WhatsAspire.Client.Tests;

/// <summary>The example of docs/client.md compiles as it stands there.</summary>
public sealed class GuideTests
{
    [Fact]
    public void The_guides_example_is_the_one_that_compiles_here()
    {
        var here = ThisFile();
        var guide = File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "docs", "client.md"));
        var example = guide.Split("```csharp\n")[1].Split("```")[0];
        var source = File.ReadAllText(here);
        foreach (var line in example.Split('\n')) Assert.Contains(line.Trim(), source, StringComparison.Ordinal);
    }

    internal static async Task ExampleAsync(string password)
    {
        using var server = new ChatServer(new Uri("http://localhost:8080"));      // or several addresses that mean the same
        using var account = await ChatAccount.SignInAsync(server, "alice", password, "my laptop");
        await using var client = account.CreateClient(new() { StatePath = "alice.state" });
        await client.ConnectAsync();

        var bob = await account.Rest.FindUserAsync("bob");
        var message = await client.SendAsync(bob!.UserId, "hello");
        await message.WaitForAsync(MessageStatus.Read);                            // Sent, Delivered, Read

        await foreach (var m in client.ReadMessagesAsync())
            Console.WriteLine($"{m.SenderId}: {m.Text}");
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
