"""HTTP/1.1 over sockets: the caller's side (server) and the service's side (client)."""
