"""What a Rollout that lives means for other documents: the weights of its rule are its own.

It lives from its document on until it is promoted or aborted. Meanwhile nobody else changes which destinations its rule
has, their weights and tracks; everything else of the Route may be changed. Deleted while it lives, it is aborted: all
calls go back to the stable version in the same revision, unless that writes the Route, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from meshway.model.decode import canonical
from meshway.model.document import Document, Metadata
from meshway.model.rollout import CANARY, CONTROL, STABLE, Rollout, RolloutVersion
from meshway.model.rollout_state import RolloutState
from meshway.model.route import Route, Rule
from registry.view.rows import DocumentRow, document_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meshway.model.document import Destination
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey

    Find = Callable[[DocumentKey], DocumentRow | None]

_WHOLE: Final = 100
_MEND: Final = "promote or abort it first (meshway rollout abort {})"

Place = tuple[str, str, str, str]


class Fault(NamedTuple):
    row: DocumentRow
    path: str
    code: str
    reason: str


class Weighed(NamedTuple):
    """A Route with other weights."""

    document: Document
    spec: Route


def place_of(version: RolloutVersion | Destination, namespace: str) -> Place:
    """What one destination is told from another by. namespace: the document's."""
    return (version.namespace or namespace, version.service, version.subset or "", version.port or "")


def place_text(place: Place) -> str:
    namespace, service, subset, port = place
    return f"{namespace}/{service}" + (f"#{subset}" if subset else "") + (f":{port}" if port else "")


def state_key(namespace: str, name: str) -> DocumentKey:
    return (RolloutState.__name__, namespace, name)


def route_key(row: DocumentRow) -> DocumentKey:
    """Of the Route of a Rollout."""
    assert isinstance(row.spec, Rollout)
    return (Route.__name__, row.key[1], row.spec.route)


def state_of(row: DocumentRow, find: Find) -> RolloutState | None:
    """Of the Rollout as it is written now; None: it has not begun."""
    found = find(state_key(*row.key[1:]))
    if found is None or not isinstance(found.spec, RolloutState):
        return None
    # Over, and written anew since: it begins once more.
    return None if found.spec.is_over and row.revision > found.revision else found.spec


def is_alive(row: DocumentRow, find: Find) -> bool:
    state = state_of(row, find)
    return state is None or not state.is_over


def rule_of(spec: Route, name: str) -> Rule | None:
    return next((rule for rule in spec.rules if rule.name == name), None)


def weighed(route: DocumentRow, rollout: Rollout, percent: float, *, is_over: bool) -> Weighed:
    """The Route with `percent` of the rule's calls for the canary. Until it is over each destination has its track, and
    of the stable version a slice as large as the canary is the control, as far as there is so much."""
    spec, namespace = route.spec, route.key[1]
    assert isinstance(spec, Route)
    stable, canary = (place_of(version, namespace) for version in (rollout.stable, rollout.canary))
    rules = []
    for rule in spec.rules:
        if rule.name == rollout.rule:
            found = {place_of(each, namespace): each for each in reversed(rule.destinations)}
            sides = found[stable], found[canary]
            weights = _ended(percent) if is_over else _split(percent, has_control=rollout.control == "same_size")
            destinations = tuple(
                msgspec.structs.replace(sides[track == CANARY], weight=weight, track=None if is_over else track)
                for track, weight in weights.items()
            )
            rule = msgspec.structs.replace(rule, destinations=destinations)
        rules.append(rule)
    changed = msgspec.structs.replace(spec, rules=tuple(rules))
    document = route.document
    metadata = msgspec.structs.replace(document.metadata, source=None)  # no file says these weights
    return Weighed(msgspec.structs.replace(document, metadata=metadata, spec=canonical(changed)), changed)


def put_state(draft: Draft, namespace: str, name: str, state: RolloutState, by: str) -> None:
    before = draft.document(state_key(namespace, name))
    document = Document(
        kind=RolloutState.__name__, metadata=Metadata(name=name, namespace=namespace), spec=canonical(state)
    )
    created_at = draft.at if before is None else before.created_at
    draft.put_document(
        DocumentRow(
            document=document,
            spec=state,
            revision=draft.revision,
            created_at=created_at,
            updated_at=draft.at,
            updated_by=by,
            value=document_value(document, created_at),
        )
    )


def gone_back(draft: Draft, before: Mapping[DocumentKey, DocumentRow | None], by: str) -> Iterator[Weighed]:
    """Routes of Rollouts that this write deletes while they live, with all calls for the stable version; forgets how
    far the deleted ones were. before: what the write touched, as it was."""
    for key, row in before.items():
        if row is None or not isinstance(row.spec, Rollout) or draft.document(key) is not None:
            continue
        state = state_of(row, draft.document)
        if (kept := draft.document(state_key(*key[1:]))) is not None:
            draft.remove_document(kept, by=by)
        route = draft.document(route_key(row))
        if state is None or state.is_over or route is None or route.key in before:
            continue
        if sound_rule(route, row.spec) is not None:
            yield weighed(route, row.spec, 0.0, is_over=True)


def faults(draft: Draft, before: Mapping[DocumentKey, DocumentRow | None], own: DocumentKey | None) -> Iterator[Fault]:
    """What this write must not do. own: the Rollout that writes."""
    alive: dict[DocumentKey, list[DocumentRow]] | None = None
    for key, earlier in before.items():
        row = draft.document(key)
        if row is None or row is earlier:
            continue
        if isinstance(row.spec, Rollout):
            yield from _rollout_faults(row, row.spec, earlier, draft)
        elif isinstance(row.spec, Route) and earlier is not None and isinstance(earlier.spec, Route):
            alive = _alive_by_route(draft) if alive is None else alive
            for other in alive.get(key, ()):
                if other.key != own:
                    yield from _route_faults(row, row.spec, earlier.spec, other)


def _alive_by_route(draft: Draft) -> dict[DocumentKey, list[DocumentRow]]:
    """Rollouts that live, by the key of their Route: a mesh has few of them, and may have thousands of Routes."""
    kept = draft.view.documents.get(Rollout.__name__, {})
    keys = {(Rollout.__name__, *key) for key in kept} | {key for key in draft.documents if key[0] == Rollout.__name__}
    found: dict[DocumentKey, list[DocumentRow]] = {}
    for key in sorted(keys):
        row = draft.document(key)
        if row is not None and is_alive(row, draft.document):
            found.setdefault(route_key(row), []).append(row)
    return found


def sound_rule(route: DocumentRow, rollout: Rollout) -> Rule | None:
    """The rule, where it leads to both versions and nowhere else."""
    assert isinstance(route.spec, Route)
    rule = rule_of(route.spec, rollout.rule)
    wanted = {place_of(version, route.key[1]) for version in (rollout.stable, rollout.canary)}
    if rule is None or {place_of(each, route.key[1]) for each in rule.destinations} != wanted:
        return None
    return rule


def _rollout_faults(row: DocumentRow, spec: Rollout, earlier: DocumentRow | None, draft: Draft) -> Iterator[Fault]:
    route = draft.document(route_key(row))
    rule = None if route is None or not isinstance(route.spec, Route) else rule_of(route.spec, spec.rule)
    if rule is None:
        return  # told as a reference that leads nowhere
    namespace = row.key[1]
    places = [place_of(each, namespace) for each in rule.destinations]
    wanted = {field: place_of(getattr(spec, field), namespace) for field in ("stable", "canary")}
    title = f"rule {spec.rule} of Route {namespace}/{spec.route}"
    for field, place in wanted.items():
        if place not in places:
            reason = f"{title} does not send to {place_text(place)}: add it to its destinations, with weight 0"
            yield Fault(row, f"spec.{field}", "unknown_reference", reason)
    if others := [place for place in places if place not in wanted.values()]:
        reason = f"{title} sends to {place_text(others[0])}, too: a rollout is between two destinations"
        yield Fault(row, "spec.rule", "forbidden_combination", reason)
    if earlier is None or not isinstance(earlier.spec, Rollout) or state_of(earlier, draft.document) is None:
        return
    if is_alive(earlier, draft.document):
        for field in ("route", "rule", "stable", "canary", "steps", "control"):
            if getattr(spec, field) != getattr(earlier.spec, field):
                reason = f"cannot be changed while it is under way: {_MEND.format(row.key[2])}"
                yield Fault(row, f"spec.{field}", "conflict", reason)


def _route_faults(row: DocumentRow, spec: Route, earlier: Route, owner: DocumentRow) -> Iterator[Fault]:
    """owner: a Rollout of this Route that lives."""
    assert isinstance(owner.spec, Rollout)
    wanted, namespace, name = owner.spec.rule, owner.key[1], owner.key[2]
    at = next((at for at, rule in enumerate(spec.rules) if rule.name == wanted), None)
    before = rule_of(earlier, wanted)
    if at is None or before is None:
        return  # told as a reference that leads nowhere
    if _owned(spec.rules[at], namespace) != _owned(before, namespace):
        reason = f"Rollout {namespace}/{name} owns destinations and weights of this rule until it is over"
        yield Fault(row, f"spec.rules[{at}].destinations", "conflict", f"{reason}: {_MEND.format(name)}")


def _owned(rule: Rule, namespace: str) -> list[tuple[Place, int, str | None]]:
    return [(place_of(each, namespace), each.weight, each.track) for each in rule.destinations]


def _split(percent: float, *, has_control: bool) -> dict[str, int]:
    """Weights by track, whole numbers: of a hundred, or of ten thousand where the percentage is none."""
    scale = 1 if percent == int(percent) else 100
    whole = _WHOLE * scale
    canary = round(percent * scale)
    control = min(canary, whole - canary) if has_control else 0
    weights = {STABLE: whole - canary - control}
    return weights | ({CONTROL: control} if has_control else {}) | {CANARY: canary}


def _ended(percent: float) -> dict[str, int]:
    return {STABLE: _WHOLE - round(percent), CANARY: round(percent)}
