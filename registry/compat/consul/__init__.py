"""Consul's HTTP API over our catalogue, for its clients as they are; docs/guide/consul.md says how far it goes."""
