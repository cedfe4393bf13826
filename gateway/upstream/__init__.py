"""What a worker knows of the services' side: clusters, endpoints, and what they did lately."""
