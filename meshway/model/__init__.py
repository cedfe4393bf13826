"""Every kind of document, one Struct a file: the only definition, for wire, store, OpenAPI and command line."""
