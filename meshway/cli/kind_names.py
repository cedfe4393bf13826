"""Kinds as people write them: `route`, `routes`, `Route`, `rt`, `traffic-policy`, `trafficpolicies`."""

import re
from collections.abc import Mapping
from typing import Final

from meshway.cli.failure import USAGE, CliError

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def kind_named(word: str, others: Mapping[str, str] | None = None) -> str:
    """The kind's own name, `Route`. others: words that are no documents, such as `gateways`, to what they stand for.

    Raises CliError with the nearest word.
    """
    from meshway.model.kinds import BY_PLURAL, KINDS, SHORT
    from meshway.model.nearest import nearest

    known = {kind.lower(): kind for kind in KINDS} | {_kebab(kind): kind for kind in KINDS}
    known |= {plural.replace("-", ""): kind for plural, kind in BY_PLURAL.items()}
    known |= BY_PLURAL | SHORT | dict(others or {})
    found = known.get(word.lower())
    if found is None:
        close = nearest(word, known)
        words = sorted({*BY_PLURAL, *(others or {}).values()})
        raise CliError(
            USAGE,
            f'there is no kind "{word}"',
            mend=f"did you mean {close}?" if close else f"kinds: {', '.join(words)}",
        )
    return found


def kind_and_name(
    words: str, name: str | None = None, others: Mapping[str, str] | None = None
) -> tuple[str, str | None]:
    """From `route/cart`, or from `route` and `cart`."""
    word, slash, inner = words.partition("/")
    if slash and name is not None:
        raise CliError(USAGE, f'"{words}" names it already; what is "{name}"?', mend="write KIND/NAME or KIND NAME")
    return kind_named(word, others), (inner or None) if slash else name


def _kebab(kind: str) -> str:
    return _CAMEL.sub("-", kind).lower()
