"""How the C library keeps a worker's memory, said by its environment (glibc, mallopt(3)); other libraries ignore it.

A read of 256 KiB, as the loop makes them, is given back to the system when it is freed where it lies at the heap's end,
and is had anew, page by page, for the next one: half of what a GB of bytes cost a worker was that. By itself glibc also
raises what it asks the system for in one piece with the largest block ever freed, so that tables of many megabytes,
made anew by each revision, leave holes among what is small.
"""

import os
from collections.abc import Mapping
from typing import Final

_KEPT: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),  # larger blocks are the system's again as soon as they are free
    "MALLOC_TRIM_THRESHOLD_": str(8 << 20),  # free at the heap's end, and kept, for a minute (worker/overload.py)
}


def heap(environment: Mapping[str, str] | None) -> dict[str, str]:
    """With what is said there (None: in ours) left as it is."""
    return {**_KEPT, **(os.environ if environment is None else environment)}
