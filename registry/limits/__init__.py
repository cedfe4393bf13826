"""Where the limits that all gateways share are counted."""
