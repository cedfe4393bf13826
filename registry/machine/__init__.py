"""The routes programs call all day, on a bare Protocol: register, heartbeat, discover, watch, follow, report."""
