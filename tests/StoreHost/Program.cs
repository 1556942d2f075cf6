using WhatsAspire.StoreHost;

// A process that owns a store and can be killed: StoreHost load FOLDER SEED FIRST... | full FOLDER | open FOLDER
return args switch
{
    ["load", var folder, var seed, .. var first] => await Load.RunAsync(folder, int.Parse(seed, null), [.. first.Select(f => int.Parse(f, null))]),
    ["full", var folder] => await FullDisk.RunAsync(folder),
    ["open", var folder] => await Host.OpenOnlyAsync(folder),
    _ => 64,
};
