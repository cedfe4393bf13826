"""What RFC 9111 lets a cache that many share do with one call, said another way: no store, no objects of the gateway.

Sequential: each call is over, and what was asked for in the background answered, before the next one.
"""

from dataclasses import dataclass, field

MOST_VARIANTS = 8
PASSING_S = 10.0


@dataclass
class Said:
    """What the service answers: status, directives as a map (None: no argument), fields beside."""

    version: int
    status: int = 200
    directives: dict[str, int | None] = field(default_factory=dict)
    expires_in_s: int | None = None
    age_s: int = 0
    tag: bool = False
    cookie: bool = False
    varies: bool = False

    def fields(self, date: str, expires: str) -> str:
        lines = [f"Date: {date}"]
        if self.directives:
            words = [name if value is None else f"{name}={value}" for name, value in self.directives.items()]
            lines.append("Cache-Control: " + ", ".join(words))
        if self.expires_in_s is not None:
            lines.append(f"Expires: {expires}")
        if self.age_s:
            lines.append(f"Age: {self.age_s}")
        if self.tag:
            lines.append(f'ETag: "v{self.version}"')
        if self.cookie:
            lines.append("Set-Cookie: a=b")
        if self.varies:
            lines.append("Vary: Accept-Language")
        return "".join(f"{line}\r\n" for line in lines)


@dataclass
class Kept:
    """One answer that is kept. came: by the oracle's clock."""

    said: Said
    language: str
    came: float

    def age_s(self, now: float) -> float:
        return self.said.age_s + now - self.came

    @property
    def lifetime_s(self) -> float:
        directives = self.said.directives
        for name in ("s-maxage", "max-age"):
            if (seconds := directives.get(name)) is not None:
                return seconds
        return max(0, self.said.expires_in_s) if self.said.expires_in_s is not None else 0.0

    @property
    def is_strict(self) -> bool:
        return not {"must-revalidate", "proxy-revalidate", "s-maxage", "no-cache"}.isdisjoint(self.said.directives)

    def is_fresh(self, now: float) -> bool:
        return "no-cache" not in self.said.directives and self.age_s(now) < self.lifetime_s

    def may_be_stale(self, now: float, name: str) -> bool:
        allowed = 0 if self.is_strict else self.said.directives.get(name) or 0
        return self.age_s(now) - self.lifetime_s < allowed


def may_be_kept(said: Said, *, has_credentials: bool) -> bool:
    directives = said.directives
    if said.status not in (200, 203, 301, 404, 410) or said.cookie:
        return False
    if "no-store" in directives or "private" in directives:
        return False
    shared = not {"public", "s-maxage", "must-revalidate"}.isdisjoint(directives)
    return shared or not has_credentials


def is_of_use(kept: Kept) -> bool:
    is_fresh = "no-cache" not in kept.said.directives and kept.lifetime_s > kept.said.age_s
    stale = 0 if kept.is_strict else max(
        kept.said.directives.get("stale-while-revalidate") or 0, kept.said.directives.get("stale-if-error") or 0
    )  # fmt: skip
    return is_fresh or stale > 0 or kept.said.tag


class CacheOracle:
    """now: the oracle's clock, which the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._kept: dict[str, list[Kept]] = {}
        self._passing: dict[tuple[str, bool], float] = {}

    def find(self, path: str, language: str) -> Kept | None:
        """The newest that fits."""
        for kept in self._kept.get(path, []):
            if not kept.said.varies or kept.language == language:
                return kept
        return None

    def is_passing(self, path: str, *, has_credentials: bool) -> bool:
        return self._passing.get((path, has_credentials), 0.0) > self.now

    def _passes_no_more(self, path: str) -> None:
        for has_credentials in (False, True):
            self._passing.pop((path, has_credentials), None)

    def answered(self, path: str, language: str, said: Said, *, has_credentials: bool) -> None:
        """The service was asked, for the cache."""
        kept = Kept(said, language, self.now)
        if not may_be_kept(said, has_credentials=has_credentials) or not is_of_use(kept):
            self._passing[path, has_credentials] = self.now + PASSING_S
            return
        self._passes_no_more(path)
        others = self._kept.get(path, [])
        same = [old for old in others if self._selects(old) == self._selects(kept)]
        self._kept[path] = [kept, *(old for old in others if old not in same)][:MOST_VARIANTS]

    @staticmethod
    def _selects(kept: Kept) -> str | None:
        return kept.language if kept.said.varies else None

    def renewed(self, path: str, kept: Kept, said: Said, *, has_credentials: bool) -> None:
        """By a 304 with these fields: what they forbid to keep is forgotten, and what they say to a caller with
        credentials alone is no word on what others get."""
        merged = Said(
            kept.said.version, kept.said.status,
            said.directives or kept.said.directives,
            said.expires_in_s if said.expires_in_s is not None else None,
            said.age_s, kept.said.tag, False, kept.said.varies,
        )  # fmt: skip
        if said.expires_in_s is None and kept.said.expires_in_s is not None:
            # The old Expires stands beside a new Date: what is left of it.
            merged.expires_in_s = int(kept.said.expires_in_s - (self.now - kept.came))
        others = [old for old in self._kept.get(path, []) if old is not kept]
        if not may_be_kept(merged, has_credentials=has_credentials):
            self._passing[path, has_credentials] = self.now + PASSING_S
            if not may_be_kept(merged, has_credentials=False):
                self._kept[path] = others
            return
        self._passes_no_more(path)
        new = Kept(merged, kept.language, self.now)
        self._kept[path] = [new, *others]

    def changed(self, path: str) -> None:
        self._kept.pop(path, None)
