"""From documents and instances to immutable tables; rebuilds only what changed."""
