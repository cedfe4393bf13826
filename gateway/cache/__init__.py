"""Answers that are kept and given again (RFC 9111): what may be, for how long, to whom, and where they lie. Pure."""
