"""Logs of services: taken by OTLP, kept for a day, searched, followed, and sent on to a collector."""
