"""How bytes become calls and answers, one folder a protocol."""
