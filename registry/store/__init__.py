"""What is durable. One function, one statement; no query stands anywhere else."""
