"""One file with all that is durable, consistent at one revision; taken from either store, restored into either."""
