"""The routes of people and tools, on FastAPI: decode, call the core, encode."""
