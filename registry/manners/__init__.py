"""What all calls of the API have in common: queries, bodies, repeats, and their description."""
