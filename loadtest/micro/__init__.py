"""Micro-benchmarks of single steps of the hot path; figures are of the machine they ran on, ratios count."""
