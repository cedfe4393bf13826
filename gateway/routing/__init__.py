"""Which plan a request gets: path rules and route tables (pure)."""
