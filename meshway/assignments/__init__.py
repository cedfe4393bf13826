"""How workers of many gateways share one limit: what they ask and are granted, and the book that is kept of it."""
