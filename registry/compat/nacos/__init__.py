"""Nacos's HTTP API (v1, naming) over our catalogue, for its clients as they are; docs/guide/nacos.md says how far."""
