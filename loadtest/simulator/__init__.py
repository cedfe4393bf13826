"""A mesh that is not there: registered, renewed and reported to a running registry as a real one would be."""
