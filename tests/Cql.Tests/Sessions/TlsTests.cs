using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using static WhatsAspire.Cql.Tests.Sessions.SessionTest;

namespace WhatsAspire.Cql.Tests.Sessions;

public sealed class TlsTests
{
    [Fact]
    public async Task A_certificate_must_have_the_hosts_name_and_be_trusted()
    {
        using var certificate = Make("cassandra.test");
        await using var server = new FakeServer { Certificate = certificate };

        await using (var session = await ConnectAsync(server, Trusting(certificate, "cassandra.test")))
            Assert.Equal(6, (await session.RunAsync(Read, 6))[0].GetInt32(0));

        await AssertRefusedAsync(Trusting(certificate, "another.test"));
        // The address that it was reached by is no name of the certificate.
        await AssertRefusedAsync(Trusting(certificate, null));
        await AssertRefusedAsync(options => (options.UseTls, options.TlsHostName) = (true, "cassandra.test"));

        async Task AssertRefusedAsync(Action<CqlOptions> configure)
        {
            var refused = await Wait.For(Assert.ThrowsAsync<CqlNoHostException>(() => ConnectAsync(server, configure)), "a refusal");
            var error = Assert.IsType<CqlConnectionException>(Assert.Single(refused.Errors).Value);
            Assert.IsType<AuthenticationException>(error.InnerException);
        }
    }

    [Fact]
    public async Task The_address_of_a_node_can_be_the_name_in_its_certificate()
    {
        using var certificate = Make(address: IPAddress.Loopback);
        await using var server = new FakeServer { Certificate = certificate };
        await using var session = await ConnectAsync(server, Trusting(certificate, null));
        await session.RunAsync(Write, 1, 1);
    }

    private static Action<CqlOptions> Trusting(X509Certificate2 certificate, string? hostName) => options =>
    {
        (options.UseTls, options.TlsHostName) = (true, hostName);
        options.ConfigureTls = tls => tls.CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { certificate },
            RevocationMode = X509RevocationMode.NoCheck,
        };
    };

    private static X509Certificate2 Make(string? name = null, IPAddress? address = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (name is not null)
            names.AddDnsName(name);
        if (address is not null)
            names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
