"""Numbers and lines about calls: written into slots on the hot path, read and shipped elsewhere."""
