"""Every revision to every follower and watcher, in order, each once."""
