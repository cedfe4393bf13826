"""What a process holds in memory, as the kernel counts it."""

import re
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Raises OSError when the process is gone."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
