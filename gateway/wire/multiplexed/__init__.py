"""What HTTP/2 and HTTP/3 do alike: many calls at once on one connection of a caller."""
