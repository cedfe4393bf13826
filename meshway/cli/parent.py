"""A child that does not outlive the `meshway up` that started it."""

import ctypes
import os
import signal
import sys
from typing import Final

VARIABLE: Final = "MESHWAY_PARENT_PID"
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def die_with_parent() -> bool:
    """Asks the kernel for SIGTERM when the parent named by MESHWAY_PARENT_PID dies. False without the variable.

    Linux only; elsewhere the child stays and can be stopped by its pid.
    """
    parent = os.environ.pop(VARIABLE, "")
    if not parent:
        return False
    if not sys.platform.startswith("linux"):
        return True
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked
        raise SystemExit(1)
    return True
