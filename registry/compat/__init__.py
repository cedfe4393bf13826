"""Other programs' protocols, translated onto the same catalogue: no second truth."""
