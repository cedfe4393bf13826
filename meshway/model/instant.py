"""Points in time as documents write them (RFC 3339), as seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Final

_DAY: Final = r"\d{4}-\d{2}-\d{2}"
_INSTANT: Final = re.compile(
    rf"{_DAY}(?:[Tt ]\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d{{1,6}})?(?:[Zz]|[+-]\d{{2}}:\d{{2}}))?\Z", re.ASCII
)


def parse_instant(text: str) -> float:
    """A day alone is its first moment in UTC. Raises ValueError with the mend."""
    mend = f'"{text}" is no point in time: write 2026-12-24T18:00:00Z'
    if not _INSTANT.match(text):
        raise ValueError(mend)
    try:
        read = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{mend} ({error})") from error
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
