"""What the web console costs with a large mesh: in a real browser, and at the registry that serves it."""
