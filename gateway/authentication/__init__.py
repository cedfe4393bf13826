"""Who calls: credentials of a call, and what proves them."""
