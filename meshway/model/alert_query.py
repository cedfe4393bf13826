"""The question an Alert asks: `service=checkout error_ratio > 2 % over 1m and service=checkout rate > 5/s`.

Pure: what is written becomes conditions, or a QueryFault that names the column. Values: docs/guide/alerts.md.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NoReturn, cast

import msgspec

from meshway.model.nearest import did_you_mean
from meshway.units import parse_duration

Op = Literal["<", "<=", ">", ">="]
# What a value is counted in, and so how its bound is written.
Measure = Literal["ratio", "per_s", "seconds", "days", "count"]

MOST_CONDITIONS: Final = 4
MOST_LENGTH: Final = 1_000
STAR: Final = "*"
FILTERS: Final = ("namespace", "service", "route", "source", "version", "zone", "gateway")
# Of calls, which the registry keeps over time.
CALL_VALUES: Final[Mapping[str, Measure]] = {
    "rate": "per_s",
    "error_ratio": "ratio",
    "retry_ratio": "ratio",
    "refused_ratio": "ratio",
    "limited_ratio": "ratio",
    "p50": "seconds",
    "p95": "seconds",
    "p99": "seconds",
}
# Of what is so now, and the filters that narrow it.
STATE_VALUES: Final[Mapping[str, tuple[Measure, frozenset[str]]]] = {
    "in_flight": ("count", frozenset({"namespace", "service", "gateway"})),
    "instances_passing": ("count", frozenset({"namespace", "service", "version", "zone"})),
    "ejected": ("count", frozenset({"namespace", "service", "gateway", "version", "zone"})),
    "breaker_open": ("count", frozenset({"namespace", "service", "gateway"})),
    "lease_expired": ("count", frozenset({"namespace", "service", "version", "zone"})),
    "leases_held": ("count", frozenset({"namespace", "zone"})),
    "cert_days_left": ("days", frozenset({"namespace", "gateway"})),
    "certs_expiring": ("count", frozenset({"namespace", "gateway"})),
    "snapshot_age": ("seconds", frozenset({"gateway", "zone"})),
    "gateway_silent": ("seconds", frozenset({"gateway", "zone"})),
    "documents_refused": ("count", frozenset({"namespace", "gateway"})),
    "removals_held": ("count", frozenset({"gateway", "zone"})),
    "commit_time": ("seconds", frozenset()),
    "receivers_failing": ("count", frozenset({"namespace"})),
}
VALUES: Final = (*CALL_VALUES, *STATE_VALUES)
# Counted over a span although it is no figure of calls.
SPANNED: Final = frozenset({*CALL_VALUES, "lease_expired"})
# By which values of calls are counted together: one of these holds all filters of a condition.
SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "edges": frozenset({"namespace", "service", "source"}),
    "routes": frozenset({"namespace", "service", "route"}),
    "instances": frozenset({"namespace", "service", "version", "zone"}),
}
OF_FLAGS: Final = frozenset({"refused_ratio", "limited_ratio"})
DEFAULT_OVER_S: Final = 60.0
LEAST_OVER_S: Final = 10.0
MOST_OVER_S: Final = 86_400.0
MOST_BACK_S: Final = 30 * 86_400.0
DEFAULT_FOR_S: Final = 60.0

_BLANK: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9._/-]{0,250}[A-Za-z0-9])?")
_EQUALS: Final = re.compile(r"\s*!?=")
_SPAN: Final = re.compile(r"[0-9][0-9a-z.]*")
_OP: Final = re.compile(r"<=|>=|<|>")
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_UNIT: Final = re.compile(r"(%|/[smh]|ms|[smhd])(?![A-Za-z0-9_])")
_DAYS: Final = re.compile(r"([0-9]{1,4})d\Z")
_UNITS: Final[Mapping[Measure, Mapping[str, float]]] = {
    "ratio": {"%": 0.01, "": 1.0},
    "per_s": {"/s": 1.0, "/m": 1 / 60, "/h": 1 / 3_600},
    "seconds": {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0},
    "days": {"": 1.0, "d": 1.0},
    "count": {"": 1.0},
}
_WRITE: Final[Mapping[Measure, str]] = {
    "ratio": "a share: 2 % or 0.02",
    "per_s": "a rate: 5/s, 100/m or 10/h",
    "seconds": "a time: 300ms, 2s or 5m",
    "days": "days: 14 or 14d",
    "count": "a number without a unit",
}


class QueryFault(ValueError):
    """column: from 1 on."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"column {column}: {reason}")
        self.column = column


class Filter(msgspec.Struct, frozen=True):
    name: str
    value: str
    is_not: bool = False


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """value: what is held against the bound; divisor: divided by this, "" = by nothing; back_s: by itself so long
    before, 0 = not. over_s: the span of what is counted."""

    filters: tuple[Filter, ...] = ()
    value: str
    divisor: str = ""
    back_s: float = 0.0
    op: Op
    bound: float
    over_s: float = DEFAULT_OVER_S

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value, self.divisor) if self.divisor else (self.value,)

    @property
    def stars(self) -> tuple[str, ...]:
        """Filters with one alert for each value."""
        return tuple(each.name for each in self.filters if each.value == STAR)

    @property
    def section(self) -> str:
        """By what its calls are counted; "": it is not of calls."""
        return section_of(self.values, {each.name for each in self.filters})

    @property
    def measure(self) -> Measure:
        return "ratio" if self.divisor or self.back_s else measure_of(self.value)

    def holds(self, value: float) -> bool:
        match self.op:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
        return value >= self.bound


class Query(msgspec.Struct, frozen=True):
    """All conditions hold. for_s: what an ending `for 1m` says; None: it has none."""

    conditions: tuple[Condition, ...]
    for_s: float | None = None


def measure_of(value: str) -> Measure:
    return CALL_VALUES[value] if value in CALL_VALUES else STATE_VALUES[value][0]


def section_of(values: tuple[str, ...], filters: set[str]) -> str:
    if values[0] not in CALL_VALUES:
        return ""
    fitting = [name for name, parts in SECTIONS.items() if filters <= parts]
    if OF_FLAGS & set(values):
        fitting = [name for name in fitting if name == "routes"]
    return fitting[0] if fitting else ""


def parse_query(text: str) -> Query:
    """Raises QueryFault."""
    return _Parser(text).query()


class _Parser:
    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def query(self) -> Query:
        if len(self._text) > MOST_LENGTH:
            self._fail(f"has {len(self._text)} characters, at most {MOST_LENGTH} are allowed", 0)
        conditions = [self._condition()]
        while self._took_word("and"):
            if len(conditions) == MOST_CONDITIONS:
                self._fail(f"at most {MOST_CONDITIONS} conditions are allowed")
            conditions.append(self._condition())
        for_s = self._span("for", 0.0, 86_400.0) if self._took_word("for") else None
        if self._rest():
            self._fail(f'"{self._shown()}" is not read here: go on with over, and, or for')
        stars = {frozenset(each.stars) for each in conditions if each.stars}
        if len(stars) > 1:
            self._fail(
                "the conditions have * at different filters, so that no value of one belongs to one of another", 0
            )
        return Query(tuple(conditions), for_s)

    def _condition(self) -> Condition:
        begin = self._here()
        filters = tuple(self._filters())
        at = self._here()
        value = self._value()
        divisor, back_s = "", 0.0
        if self._took("/"):
            divisor = self._value()
        elif self._took_word("vs"):
            back_s = self._span("vs", LEAST_OVER_S, MOST_BACK_S)
        values = (value, divisor) if divisor else (value,)
        self._check_values(values, filters, back_s, at)
        op = cast("Op", self._token(_OP, "one of < <= > >="))
        measure: Measure = "ratio" if divisor or back_s else measure_of(value)
        bound = self._bound(measure)
        if measure == "ratio" and len(values) == 1 and not back_s and value != "retry_ratio" and bound > 1.0:
            self._fail(f"{value} is 0 to 1: write {bound:g} %", begin)
        over_s = DEFAULT_OVER_S
        over_at = self._here()
        if self._took_word("over"):
            if not SPANNED & set(values):
                self._fail(f"{value} is what is so now: it has no span", over_at)
            over_s = self._span("over", LEAST_OVER_S, MOST_OVER_S)
        return Condition(
            filters=filters, value=value, divisor=divisor, back_s=back_s, op=op, bound=bound, over_s=over_s
        )

    def _filters(self) -> Iterator[Filter]:
        seen: set[str] = set()
        while True:
            at = self._here()
            name = self._peek(_WORD)
            if name is None or name in VALUES or not _EQUALS.match(self._text, at + len(name)):
                return
            if name not in FILTERS:
                self._fail(f'"{name}" is no filter{did_you_mean(name, FILTERS)}')
            self._at = at + len(name)
            self._here()
            is_not = self._took("!=")
            if not is_not:
                self._take("=")
            value_at = self._here()
            value = self._token(_NAME, "a name or *")
            if value == STAR and is_not:
                self._fail("!= * is nothing", value_at)
            if not is_not and name in seen:
                self._fail(f"{name} is said twice", at)
            if not is_not:
                seen.add(name)
            yield Filter(name, value, is_not)

    def _value(self) -> str:
        at = self._here()
        word = self._peek(_WORD)
        if word is None:
            self._fail(f"a value is missing: one of {', '.join(VALUES)}")
        if word not in VALUES:
            self._fail(f'"{word}" is no value{did_you_mean(word, VALUES)}')
        self._at = at + len(word)
        return word

    def _check_values(self, values: tuple[str, ...], filters: tuple[Filter, ...], back_s: float, at: int) -> None:
        names = {each.name for each in filters}
        if values[0] in CALL_VALUES:
            if values[-1] not in CALL_VALUES:
                self._fail(f"{values[-1]} is what is so now, {values[0]} is of calls", at)
            if not section_of(values, names):
                told = "gateway" if "gateway" in names else " and ".join(sorted(names))
                self._fail(f"{' / '.join(values)} is not counted by {told}", at)
            return
        if back_s:
            self._fail(f"{values[0]} is what is so now: nothing is kept of it to compare with", at)
        for value in values:
            if value in CALL_VALUES:
                self._fail(f"{value} is of calls, {values[0]} is what is so now", at)
            if others := names - STATE_VALUES[value][1]:
                self._fail(f"{value} is not counted by {' and '.join(sorted(others))}", at)

    def _bound(self, measure: Measure) -> float:
        at = self._here()
        number = self._token(_NUMBER, "a number")
        self._here()
        unit = self._peek(_UNIT) or ""
        factor = _UNITS[measure].get(unit)
        if factor is None:
            self._fail(f"{number}{unit} is not {_WRITE[measure]}", at)
        self._at += len(unit)
        return float(f"{float(number) * factor:.12g}")

    def _span(self, what: str, low: float, high: float) -> float:
        at = self._here()
        text = self._token(_SPAN, "a time: 30s, 1m or 2h")
        try:
            days = _DAYS.match(text)
            span_s = int(days[1]) * 86_400.0 if days else float(parse_duration(text))
        except ValueError as error:
            self._fail(str(error), at)
        if not low <= span_s <= high:
            self._fail(f"{what} {text} is outside {low:g} s to {high:g} s", at)
        return span_s

    def _here(self) -> int:
        """Past blanks."""
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._at

    def _rest(self) -> str:
        return self._text[self._here() :]

    def _shown(self) -> str:
        return self._rest().split()[0][:40] if self._rest() else ""

    def _peek(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._here())
        return None if found is None else found[0]

    def _token(self, pattern: re.Pattern[str], wanted: str) -> str:
        found = self._peek(pattern)
        if found is None:
            told = f'"{self._shown()}" is not {wanted}' if self._rest() else f"it ends where {wanted} is wanted"
            self._fail(told)
        self._at += len(found)
        return found

    def _took(self, text: str) -> bool:
        if not self._text.startswith(text, self._here()):
            return False
        self._at += len(text)
        return True

    def _take(self, text: str) -> None:
        if not self._took(text):
            self._fail(f'"{self._shown()}" is not {text}')

    def _took_word(self, word: str) -> bool:
        if self._peek(_WORD) != word:
            return False
        self._at += len(word)
        return True

    def _fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise QueryFault((self._here() if at is None else at) + 1, reason)
