"""Eureka's REST API over our catalogue, for its clients as they are; docs/guide/eureka.md says how far it goes."""
