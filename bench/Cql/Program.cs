using BenchmarkDotNet.Running;
using WhatsAspire.Bench.Cql;

// 'load CONNECTION-STRING [SECONDS]' measures against a running Cassandra; anything else is BenchmarkDotNet's.
if (args is ["load", var connectionString, .. var rest])
    return await LoadRun.RunAsync(connectionString, rest is [var seconds] ? int.Parse(seconds, System.Globalization.CultureInfo.InvariantCulture) : 5);
BenchmarkSwitcher.FromAssembly(typeof(CodecBenchmarks).Assembly).Run(args);
return 0;
