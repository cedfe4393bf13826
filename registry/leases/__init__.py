"""Time: what a heartbeat does, and what happens when none comes."""
