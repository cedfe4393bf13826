"""Other registries as sources of instances, copied by a process of its own that speaks to ours as any client does."""
