"""The conductor of a call: it knows no socket and no HTTP version."""
