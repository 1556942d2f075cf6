using WhatsAspire.Conformance;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Tests.Storage;

public sealed class RocksConformanceTests : MessageStoreConformance
{
    private readonly RocksFolder _folder = new();

    protected override Task<IMessageStore> OpenAsync() => Task.FromResult<IMessageStore>(_folder.Open());

    protected override async ValueTask DisposeCoreAsync()
    {
        await base.DisposeCoreAsync();
        _folder.Dispose();
    }
}
