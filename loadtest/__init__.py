"""Comparison with Envoy, nginx and HAProxy on the same work, side by side in one run."""
