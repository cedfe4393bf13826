"""The control plane: knows what exists, what is allowed, and in which order that came to be."""
