"""What recorded calls would get by tables that are not applied: spoken by gateways, the registry and the command."""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

REHEARSE: Final = "rehearse"  # the kind of the feed's question
MOST_CALLS: Final = 50_000
MOST_GROUPS: Final = 200
MOST_CALLERS: Final = 1000
EXAMPLES: Final = 3

Kind = Literal["elsewhere", "refused", "let_in", "changed"]


class Fate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a call. route "": no rule has it. to: destinations with their shares. status, reason: where the
    gateway answers itself."""

    route: str = ""
    rule: str = ""
    to: tuple[str, ...] = ()
    status: int = 0
    reason: str = ""
    document: str = ""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """at: seconds since 1970. caller: its address. sent_before, sent_after: host and path as the service sees them by
    either tables, where a rule changes them."""

    at: float
    caller: str = ""
    method: str
    host: str
    path: str
    sent_before: str = ""
    sent_after: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that would fare otherwise in the same way. recorded: how many; calls: for how many they stand.

    kind: `elsewhere` (another service, subset or share), `refused`, `let_in`, or `changed` (another rule or answer).
    """

    kind: Kind
    before: Fate
    after: Fate
    recorded: int
    calls: int
    examples: list[Example]


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """recorded: calls that were run through both tables. calls: for how many they stand. same: of these, no change.

    from_s, to_s: when the first and the last began, seconds since 1970; 0: none was recorded. secrets_left_out: of the
    recorded, those with headers that are not kept, which rules may ask for. differences_left_out: groups beyond the
    largest. callers: addresses of those whose calls would fare otherwise, at most MOST_CALLERS. whole_from_s: every
    call that began since then is among them, seconds since 1970; 0: of no span is that so. from_disk: of the gateways,
    those of which a worker did not tell in time what it holds in memory, so their last calls are a sample as well.
    """

    gateways: list[str]
    recorded: int
    calls: int
    same: int
    from_s: float = 0.0
    to_s: float = 0.0
    whole_from_s: float = 0.0
    secrets_left_out: int = 0
    differences: list[Difference] = []
    differences_left_out: int = 0
    callers: list[str] = []
    from_disk: list[str] = []


def some_of(examples: Iterable[Example]) -> list[Example]:
    """The last ones, of calls that differ in more than their time."""
    alike = {(each.caller, each.method, each.host, each.path): each for each in examples}
    return list(alike.values())[-EXAMPLES:]


def merged(told: list[Rehearsal]) -> Rehearsal:
    """Of several gateways, each with calls of its own."""
    groups: dict[tuple[Kind, Fate, Fate], Difference] = {}
    for one in told:
        for each in one.differences:
            key = (each.kind, each.before, each.after)
            known = groups.get(key)
            if known is None:
                groups[key] = each
                continue
            groups[key] = msgspec.structs.replace(
                known,
                recorded=known.recorded + each.recorded,
                calls=known.calls + each.calls,
                examples=some_of([*known.examples, *each.examples]),
            )
    ordered = sorted(groups.values(), key=lambda each: -each.calls)
    return Rehearsal(
        gateways=[name for one in told for name in one.gateways],
        recorded=sum(one.recorded for one in told),
        calls=sum(one.calls for one in told),
        same=sum(one.same for one in told),
        from_s=min((one.from_s for one in told if one.recorded), default=0.0),
        to_s=max((one.to_s for one in told), default=0.0),
        whole_from_s=_whole_from_s(told),
        secrets_left_out=sum(one.secrets_left_out for one in told),
        differences=ordered[:MOST_GROUPS],
        differences_left_out=sum(one.differences_left_out for one in told) + max(len(ordered) - MOST_GROUPS, 0),
        callers=list(dict.fromkeys(caller for one in told for caller in one.callers))[:MOST_CALLERS],
        from_disk=[name for one in told for name in one.from_disk],
    )


def _whole_from_s(told: list[Rehearsal]) -> float:
    spans = [one.whole_from_s for one in told]
    return max(spans) if spans and all(spans) else 0.0
