"""The one HTTP/1.1 reader, for gateway and registry: RFC 9112 and the smuggling rules, in one place. Pure."""
