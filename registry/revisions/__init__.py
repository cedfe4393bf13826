"""The one order of changes: judged in a draft, committed in groups, kept as a log."""
