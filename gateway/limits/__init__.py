"""Algorithms of limits (pure)."""
