"""Which passwords people may have."""

from __future__ import annotations

from typing import Final

from meshway.problem import FieldError, invalid_request

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
_LEAST_LETTERS: Final = 5


def refuse_weak(password: str, name: str, path: str = "password") -> None:
    """NIST SP 800-63B §3.1.1: a length, no rules of composition. Raises Problem 422."""
    why = ""
    if len(password) < MIN_PASSWORD:
        why = f"has fewer than {MIN_PASSWORD} characters"
    elif len(password.encode()) > MAX_PASSWORD:
        why = f"has more than {MAX_PASSWORD} bytes"
    elif len(set(password)) < _LEAST_LETTERS or len(password.lower().replace(name, "")) < MIN_PASSWORD // 2:
        why = "is easily guessed"
    if why:
        message = f"{path}: {why}"
        raise invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))
