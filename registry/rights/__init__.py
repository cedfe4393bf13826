"""Who may do what: roles and their rights, tokens, and the bindings of people."""
