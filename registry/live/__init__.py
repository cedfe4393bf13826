"""What is alive: leases and their renewal. Nothing here survives a restart, and nothing needs to."""
