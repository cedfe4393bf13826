"""Issuers outside the mesh that are believed: people who sign in there, and bearers of their tokens."""
