"""The mixed soak: every protocol at once for a long time, while everything that may happen does."""
