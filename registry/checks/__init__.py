"""Health checks that the registry runs itself, for instances that cannot send heartbeats."""
