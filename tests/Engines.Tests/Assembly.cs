using System.Runtime.Versioning;
using Xunit.Sdk;
using Xunit.v3;

// Real servers on few cores: one test at a time.
[assembly: Parallelization(Mode = ParallelMode.None)]
[assembly: SupportedOSPlatform("linux")]
