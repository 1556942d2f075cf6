using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WhatsAspire.MessageApi.Directory;
using Xunit;

namespace WhatsAspire.Users.Tests;

public sealed class SigningKeyProtectionTests
{
    private static readonly string Secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(138);

    [Fact]
    public void A_sealed_key_opens_with_the_same_secret_and_id_alone()
    {
        var kept = new SigningKeyProtection(Secret).Protect("id", Key);
        Assert.Equal(-1, kept.AsSpan().IndexOf(Key.AsSpan(0, 16)));
        Assert.Equal(Key, new SigningKeyProtection(Secret).Unprotect("id", kept));

        var another = new SigningKeyProtection(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        Assert.Contains("not the one", Assert.Throws<CryptographicException>(() => another.Unprotect("id", kept)).Message, StringComparison.Ordinal);
        Assert.Throws<CryptographicException>(() => new SigningKeyProtection(Secret).Unprotect("other id", kept));
        Assert.Contains("set Directory:KeyEncryptionSecret", Assert.Throws<CryptographicException>(() => new SigningKeyProtection(null).Unprotect("id", kept)).Message, StringComparison.Ordinal);
        kept[^1] ^= 1;
        Assert.Throws<CryptographicException>(() => new SigningKeyProtection(Secret).Unprotect("id", kept));
        Assert.Throws<CryptographicException>(() => new SigningKeyProtection(Secret).Unprotect("id", [9, 9, 9]));
        Assert.Throws<CryptographicException>(() => new SigningKeyProtection(Secret).Unprotect("id", []));
    }

    [Fact]
    public void A_key_from_before_there_was_a_secret_can_still_be_read()
    {
        var kept = new SigningKeyProtection(null).Protect("id", Key);
        Assert.Equal(Key, new SigningKeyProtection(Secret).Unprotect("id", kept));
    }

    [Fact]
    public async Task With_a_secret_no_private_key_lies_in_the_file_and_without_it_the_service_does_not_start()
    {
        using var folder = new TestFolder();
        await using (var api = await TestApi.StartAsync(new() { ["Directory:KeyEncryptionSecret"] = Secret }, folder)) await api.SignUpAsync("ann");

        await using (var connection = new SqliteConnection($"Data Source={folder.File("directory.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "SELECT private_key FROM signing_keys";
            var kept = (byte[])(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
            using var ecdsa = ECDsa.Create();
            Assert.Throws<CryptographicException>(() => ecdsa.ImportPkcs8PrivateKey(kept.AsSpan(1), out _));
        }
        await Assert.ThrowsAsync<CryptographicException>(() => TestApi.StartAsync(folder: folder));
    }

    [Theory]
    [InlineData("Directory:KeyEncryptionSecret", "short", "Directory:KeyEncryptionSecret")]
    [InlineData("Directory:WriteTimeout", "00:00:00", "Directory:WriteTimeout")]
    [InlineData("Storage:Path", "", "Directory:Path")]
    [InlineData("Users:PasswordIterations", "10", "Users:PasswordIterations")]
    [InlineData("Users:AccessTokenLifetime", "2.00:00:00", "Users:AccessTokenLifetime")]
    [InlineData("Users:SigningKeyLifetime", "00:01:00", "Users:SigningKeyLifetime")]
    [InlineData("Users:RefreshGrace", "01:00:00", "Users:RefreshGrace")]
    [InlineData("Users:SignInsPerUserPerMinute", "-1", "Users:SignIns")]
    public async Task A_setting_out_of_range_stops_the_service_at_its_start(string name, string value, string named)
    {
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApi.StartAsync(new() { [name] = value }));
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }
}
