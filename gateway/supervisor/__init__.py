"""A gateway host: its sockets, its workers, what they found out, and the port that tells of it."""
