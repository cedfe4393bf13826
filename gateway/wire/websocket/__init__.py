"""WebSocket (RFC 6455) as far as a gateway has to read it: handshakes, and the heads of frames."""
