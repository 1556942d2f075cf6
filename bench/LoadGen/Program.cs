using Bench;

const string usage = """
    loadgen WORKLOAD [--name value]...      one JSON line per measurement on stdout

      idle      --clients 2000 --settle 40                     memory and CPU of N clients that do nothing
      pairs     --pairs 100 --rate 500[,1000...] --bytes 100   open loop; latency counts from the due time
      saturate  --pairs 100 --window 4                         closed loop, a window in flight per pair
      group     --members 50 --rate 5[,10...]                  one room, all members online, open loop;
                                                               stops after the first rate under 90 % delivered
      prepare   --users 200 --rest http://127.0.0.1:PORT --file tokens.txt   accounts of a WhatsAspire, for its driver;
                                                               --group M --group-file FILE: a group of the first M
      report    --file results.jsonl                           medians of repeated lines, as Markdown

    For all: --driver xmpp|relay|whatsaspire --url ws://127.0.0.1:PORT/ws --server NAME (a label) --pids 1,2 (the server's
    processes; their descendants are counted too) --wide 64 (logins under way at once) --warm S --secs S
    --drain S --heat S (run-up of the first step of pairs and saturate). The first four, where not given, come from BENCH_DRIVER, BENCH_URL, BENCH_SERVER, BENCH_PIDS.
    """;
if (args.Length == 0 || args[0] is "-h" or "--help") { Console.Error.WriteLine(usage); return 2; }
try
{
    var o = new Options(args[1..]);
    if (args[0] == "prepare")
    {
        await Prepare.RunAsync(o);
        return 0;
    }

    if (args[0] == "report") { Report.Run(o.Str("file", "results.jsonl")); return 0; }
    Workload w = args[0] switch
    {
        "idle" => new Idle(o),
        "pairs" => new Pairs(o, false),
        "saturate" => new Pairs(o, true),
        "group" => new Group(o),
        _ => throw new ArgumentException($"no workload '{args[0]}'"),
    };
    w.Run();
    return 0;
}
catch (Exception e) when (e is ArgumentException or IOException or FormatException or HttpRequestException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
