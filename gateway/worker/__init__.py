"""One worker: a process, a loop, and the tables it swaps."""
