"""What gateways report of their calls, kept as points of time and asked."""
