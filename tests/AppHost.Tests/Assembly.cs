using Xunit.Sdk;
using Xunit.v3;

// One system takes all cores while it starts: several at once would only measure each other.
[assembly: Parallelization(Mode = ParallelMode.None)]
