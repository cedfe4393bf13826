"""What a query finds: one finding for each value that its stars take, each held, not held, or without data. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.model.alert_query import CALL_VALUES, STAR
from meshway.model.document import MESH_NAMESPACE
from registry.alerts.presence import Sample, together
from registry.alerts.windows import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshway.model.alert_query import Condition, Query
    from registry.alerts.windows import Counted

# What was nothing before and is something now: so many times as much.
ENDLESS: Final = 1e6
# Names that several namespaces may have: with one of them stands whose it is.
_OWNED: Final = frozenset({"service", "route"})

Labels = tuple[tuple[str, str], ...]


class Measured(NamedTuple):
    """value None: there is no data. what: whom it is of. lately: the same with what has passed since the look before,
    None: nothing has."""

    value: float | None
    what: str = ""
    lately: tuple[float, str] | None = None


class Finding(NamedTuple):
    """Of the first condition the value. holds None: there is no data to tell it by. wavers: it does not hold now, and
    did since the look before; the value is of then."""

    labels: dict[str, str]
    value: float | None
    holds: bool | None
    what: str = ""
    wavers: bool = False


def asked_of(condition: Condition, namespace: str) -> tuple[Asked, ...]:
    """What is to be counted for it; nothing where it is not of calls. namespace: the rule's."""
    section = condition.section
    if not section:
        return ()
    parts = parts_of(condition, namespace)
    now = Asked(section, condition.over_s, 0.0, parts)
    return (now, now._replace(back_s=condition.back_s)) if condition.back_s else (now,)


def parts_of(condition: Condition, namespace: str) -> tuple[str, ...]:
    """By which its values are counted apart."""
    parts = {each.name for each in condition.filters}
    if namespace != MESH_NAMESPACE or _OWNED & set(condition.stars):
        parts.add("namespace")
    return tuple(sorted(parts))


def measured(
    condition: Condition,
    namespace: str,
    minimum: int,
    count: Callable[[Asked], Counted],
    samples: Callable[[str, float], Sequence[Sample]],
) -> dict[Labels, Measured]:
    """By the labels of its stars. count: what `asked_of` named. samples: by value and span."""
    if condition.section:
        return _of_calls(condition, namespace, minimum, count)
    return _of_states(condition, namespace, samples)


def found(query: Query, namespace: str, tables: Sequence[Mapping[Labels, Measured]]) -> list[Finding]:
    """tables: of its conditions, in order."""
    fixed = fixed_labels(query, namespace)
    starred = [set(table) for condition, table in zip(query.conditions, tables, strict=True) if condition.stars]
    keys: Iterable[Labels] = sorted(set.union(*starred)) if starred else ((),)
    return [_finding(query, tables, fixed, key) for key in keys]


def fixed_labels(query: Query, namespace: str) -> dict[str, str]:
    """What all its findings are about: filters that name somebody."""
    labels = {} if namespace == MESH_NAMESPACE else {"namespace": namespace}
    for condition in query.conditions:
        for each in condition.filters:
            if not each.is_not and each.value != STAR:
                labels.setdefault(each.name, each.value)
    return labels


def _finding(
    query: Query, tables: Sequence[Mapping[Labels, Measured]], fixed: Mapping[str, str], key: Labels
) -> Finding:
    holds: bool | None = True
    wavers = True
    first = Measured(None)
    for at, (condition, table) in enumerate(zip(query.conditions, tables, strict=True)):
        one = table.get(key if condition.stars else (), Measured(None))
        if at == 0:
            first = one
        if one.value is None:
            holds, wavers = None if holds is not False else False, False
        elif not condition.holds(one.value):
            holds = False
            wavers = wavers and one.lately is not None and condition.holds(one.lately[0])
    labels = {**fixed, **dict(key)}
    if holds is False and wavers:
        value, what = first.lately or (first.value, first.what)
        return Finding(labels, value, holds=False, what=what, wavers=True)
    return Finding(labels, first.value, holds, first.what)


def _of_calls(
    condition: Condition, namespace: str, minimum: int, count: Callable[[Asked], Counted]
) -> dict[Labels, Measured]:
    asked = asked_of(condition, namespace)
    now = _figures(condition, namespace, asked[0], minimum, count(asked[0]))
    if len(asked) == 1:
        return now
    before = _figures(condition, namespace, asked[1], minimum, count(asked[1]))
    return {key: Measured(_ratio(one.value, before.get(key, Measured(None)).value)) for key, one in now.items()}


def _figures(
    condition: Condition, namespace: str, asked: Asked, minimum: int, counted: Counted
) -> dict[Labels, Measured]:
    """Groups of parts that the same alert is of are few: those that `!=` or nothing tells apart."""
    groups: dict[Labels, list[tuple[str, ...]]] = {}
    for key in _fitting(condition, namespace, asked.parts, counted):
        groups.setdefault(_labels(condition, namespace, dict(zip(asked.parts, key, strict=True))), []).append(key)
    if not condition.stars:
        groups.setdefault((), [])
    return {labels: _figure(condition, keys, minimum, counted) for labels, keys in groups.items()}


def _fitting(
    condition: Condition, namespace: str, parts: tuple[str, ...], counted: Counted
) -> Iterator[tuple[str, ...]]:
    exact = {each.name: each.value for each in condition.filters if not each.is_not and each.value != STAR}
    if namespace != MESH_NAMESPACE:
        exact["namespace"] = namespace
        if "/" not in exact.get("source", "/"):
            exact["source"] = _caller(exact["source"], namespace)
    if len(exact) == len(parts):
        key = tuple(exact[part] for part in parts)
        if key in counted.tallies:
            yield key
        return
    for key in counted.tallies:
        if _fits(condition, dict(zip(parts, key, strict=True)), exact):
            yield key


def _fits(condition: Condition, known: Mapping[str, str], exact: Mapping[str, str]) -> bool:
    if any(known.get(name, "") != value for name, value in exact.items()):
        return False
    for each in condition.filters:
        if each.is_not and known.get(each.name, "") == each.value:
            return False
        if each.value == STAR and not known.get(each.name):
            return False
    return True


def _caller(name: str, namespace: str) -> str:
    """A bare name is of the own namespace, unless it is of those that are no services."""
    return name if name in ("edge", "anonymous", "other") else f"{namespace}/{name}"


def _figure(condition: Condition, keys: Sequence[tuple[str, ...]], minimum: int, counted: Counted) -> Measured:
    values = [_one(value, keys, minimum, counted) for value in condition.values]
    return Measured(_ratio(*values) if condition.divisor else values[0])


def _one(value: str, keys: Sequence[tuple[str, ...]], minimum: int, counted: Counted) -> float | None:
    if not keys:
        return 0.0 if value == "rate" else None
    tally = counted.tallies[keys[0]]
    if len(keys) > 1:
        tally = tally.copied()
        for key in keys[1:]:
            tally.add(counted.tallies[key])
    return tally.figure(value, counted.span_s, minimum)


def _ratio(value: float | None, other: float | None) -> float | None:
    if value is None or other is None:
        return None
    if other == 0.0:
        return ENDLESS if value > 0.0 else None
    return min(value / other, ENDLESS)


def _of_states(
    condition: Condition, namespace: str, samples: Callable[[str, float], Sequence[Sample]]
) -> dict[Labels, Measured]:
    tables = [_samples(condition, namespace, value, samples(value, condition.over_s)) for value in condition.values]
    if len(tables) == 1:
        return tables[0]
    first, second = tables
    return {key: Measured(_ratio(one.value, second.get(key, Measured(None)).value)) for key, one in first.items()}


def _samples(condition: Condition, namespace: str, value: str, samples: Iterable[Sample]) -> dict[Labels, Measured]:
    exact = {each.name: each.value for each in condition.filters if not each.is_not and each.value != STAR}
    if namespace != MESH_NAMESPACE:
        exact["namespace"] = namespace
    groups: dict[Labels, list[Sample]] = {}
    for sample in samples:
        if _fits(condition, sample.parts, exact):
            groups.setdefault(_labels(condition, namespace, sample.parts), []).append(sample)
    return {labels: _state(value, each) for labels, each in groups.items()}


def _state(value: str, samples: Sequence[Sample]) -> Measured:
    current = [each for each in samples if not each.is_past]
    now = together(value, current) if current else (0.0, "")
    return Measured(*now, lately=None if len(current) == len(samples) else together(value, samples))


def _labels(condition: Condition, namespace: str, known: Mapping[str, str]) -> Labels:
    names = set(condition.stars)
    if namespace == MESH_NAMESPACE and _OWNED & names:
        names.add("namespace")
    return tuple((name, known.get(name, "")) for name in sorted(names))


def is_of_calls(query: Query) -> bool:
    """Whether all it asks was kept over time."""
    return all(value in CALL_VALUES for condition in query.conditions for value in condition.values)
