"""This replica's copy in memory, from which everything is read."""
