"""The web console, as the registry serves it: files that were built before, never written here."""
