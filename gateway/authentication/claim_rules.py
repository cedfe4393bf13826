"""What a document asks of verified claims, and what it tells the service of them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.routing.string_match import compile_string
from meshway.http1.fields import is_value
from meshway.identity import claim, claim_texts
from meshway.jwt import TokenFault
from meshway.model.match import StringMatch, Text

MAX_NAME: Final = 256  # characters

Holds = Callable[[Mapping[str, Any]], bool]


class ClaimRules:
    """principal: the claim that names the caller. required: by claim, what it must be. headers: by claim, the field."""

    def __init__(self, principal: str, required: Mapping[str, Text], headers: Mapping[str, str]) -> None:
        self._principal = principal
        self._required = [(path, _compile_claim(path, text)) for path, text in required.items()]
        self._headers = [(path, header.encode()) for path, header in headers.items()]

    def subject(self, claims: Mapping[str, Any]) -> str:
        """The caller's name. Raises TokenFault."""
        subject = claim(claims, self._principal)
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_NAME or not is_plain(subject):
            raise TokenFault(f"the token's {self._principal} names nobody")
        for path, holds in self._required:
            if not holds(claims):
                raise TokenFault(f"the token's {path} is not what it must be")
        return subject

    def lines(self, claims: Mapping[str, Any]) -> bytes:
        """Fields that tell the service. Raises TokenFault."""
        return b"".join([_line(claims, path, header) for path, header in self._headers])


def is_plain(text: str) -> bool:
    """Whether it may stand in a log and in a header as it is."""
    return text.isprintable() and text == text.strip()


def _line(claims: Mapping[str, Any], path: str, header: bytes) -> bytes:
    """Raises TokenFault for a claim that would say something else in a field than in the token."""
    value = claim(claims, path)
    texts = claim_texts(value)
    if not texts:
        return b""
    text = ",".join(texts).encode()
    if not is_value(text) or (isinstance(value, list) and text.count(b",") != len(texts) - 1):
        raise TokenFault(f"the token's {path} cannot stand in a header")
    return b"%b: %b\r\n" % (header, text)


def _compile_claim(path: str, text: Text) -> Holds:
    """Of a list one member must fit; where the match is inverted, all."""
    holds = compile_string(text)
    every = all if isinstance(text, StringMatch) and text.invert else any

    def fits(claims: Mapping[str, Any]) -> bool:
        texts = claim_texts(claim(claims, path))
        return every(holds(one.encode()) for one in texts) if texts else holds(None)

    return fits
