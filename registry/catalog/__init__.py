"""Instances come, renew, change and go, and callers find them."""
