"""Following the registry: what comes is checked, kept on disk and handed to the workers."""
