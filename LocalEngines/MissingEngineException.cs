namespace WhatsAspire.LocalEngines;

/// <summary>An engine is not installed, or not where the settings say. The message names it, where it was looked for,
/// and how to get it.</summary>
public sealed class MissingEngineException(string message) : Exception(message);
