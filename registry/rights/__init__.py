"""Who may do what: roles and their rights, tokens, and how a caller signs in."""
