"""What would become of a call, told from the compiled tables without sending anything."""
