// One system takes all cores while it starts: several at once would only measure each other.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
