"""HTTP/3 at the edge, by aioquic: imported only where a Listener has it."""
