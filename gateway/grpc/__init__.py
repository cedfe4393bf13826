"""What gRPC says of a call, and how browsers and callers of JSON speak to its services: pure."""
