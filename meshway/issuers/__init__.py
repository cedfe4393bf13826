"""Who vouches for callers outside the mesh: issuers of tokens and OpenID providers, for gateways and registries.

Their keys, fetched off the way of any call; what they say of themselves; the code flow with PKCE.
"""
