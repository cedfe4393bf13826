"""What is kept of a change before, and after, it is published."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from registry.documents.document_key import Key

State = Literal["draft", "in_review", "publishing", "published"]
Verdict = Literal["approve", "refuse"]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Message = Annotated[str, Meta(max_length=2000)]

MOST_PARTS: Final = 100
MOST_TEXT: Final = 4 << 20


class Writer(msgspec.Struct, frozen=True):
    """Who writes. makers: its own name, and where it came by a token who made that, and that one's maker. is_person:
    signed in, and so one whose word counts in review."""

    name: str
    makers: tuple[str, ...]
    is_person: bool
    is_admin: bool


class Part(Key, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document of a change. text: as its author writes it, YAML or JSON with its comments; None: it is deleted.

    base_revision: of the document that the change was begun on, 0: there was none; base: that document.
    published: as it became; None before, and of one that was deleted.
    """

    text: str | None
    base_revision: int
    base: dict[str, Any] | None
    published: dict[str, Any] | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said in review. edits: which state of the change it was said of. at: seconds since 1970."""

    by: str
    verdict: Verdict
    text: str
    at: float
    edits: int


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """author: a principal's name. editors: everybody who wrote it. makers: these, who made the tokens they wrote it by,
    and who made a token that made one: none of them is another person. edits: one more with each change of its parts;
    words said before count no more.

    message, publisher, is_waived, published_at, revision: of what is published, or about to be. takes_back: the number
    of the change that this one takes back. Times: seconds since 1970.
    """

    title: str
    author: str
    editors: tuple[str, ...]
    makers: tuple[str, ...]
    created_at: float
    parts: tuple[Part, ...]
    edits: int = 1
    words: tuple[Word, ...] = ()
    message: str = ""
    publisher: str = ""
    is_waived: bool = False
    published_at: float | None = None
    takes_back: int | None = None

    @property
    def approvers(self) -> frozenset[str]:
        """People whose last word about what it is now is that they agree."""
        last = {word.by: word.verdict for word in self.words if word.edits == self.edits}
        return frozenset(by for by, verdict in last.items() if verdict == "approve" and by not in self.makers)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal with what the store knows of it. revision: that it became."""

    number: int
    version: int
    state: State
    updated_at: float
    revision: int | None
    proposal: Proposal
