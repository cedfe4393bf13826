"""Who may call what: rules of AccessPolicies as tables, and what is asked of them for each call."""
