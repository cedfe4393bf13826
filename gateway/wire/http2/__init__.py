"""HTTP/2: the codec, and the side that calls services."""
