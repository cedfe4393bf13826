"""What a plane asks of others by itself: feed, reports, health checks. No call of anybody passes here."""
