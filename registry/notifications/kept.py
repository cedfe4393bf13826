"""What the registry that sends knows of the store's rows, and what is to be written when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from registry.notifications.grouping import regrouped
from registry.notifications.records import (
    Group,
    GroupKey,
    Outcome,
    packed_group,
    packed_outcome,
    read_group,
    read_outcome,
)
from registry.store.notifications import (
    drop_group,
    drop_outcome,
    group_of,
    outcome_of,
    put_group,
    put_outcome,
    read_groups,
    read_outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshway.model.receiver import Receiver
    from registry.notifications.records import ReceiverKey
    from registry.store.interface import Store
    from registry.store.steps import Step


class Kept(msgspec.Struct):
    """versions: of the groups that are there."""

    groups: dict[GroupKey, Group] = {}
    versions: dict[GroupKey, int] = {}
    outcomes: dict[tuple[str, str], Outcome] = {}

    def change(self, key: GroupKey, group: Group | None) -> Iterable[Step]:
        """Takes the group in, None: it goes; answers what is to be written: nothing where it is as it was."""
        before, version = self.groups.get(key), self.versions.get(key, 0)
        if group is before:
            return ()
        if group is None:
            del self.groups[key], self.versions[key]
            assert before is not None
            return (drop_group(packed_group(key, before, version)),)
        self.groups[key], self.versions[key] = group, version + 1
        return (put_group(packed_group(key, group, version + 1)),)

    def note(self, key: ReceiverKey, outcome: Outcome) -> Step:
        self.outcomes[key] = outcome
        return put_outcome(packed_outcome(key, outcome))

    def follow(self, receivers: Mapping[ReceiverKey, Receiver]) -> list[Step]:
        """Of Receivers that are no more nothing is kept; of those that group otherwise by now, what is still owed."""
        steps: list[Step] = []
        for key, group in list(self.groups.items()):
            receiver = receivers.get(key.of)
            steps += self.change(key, None if receiver is None else regrouped(group, receiver))
        for of in [of for of in self.outcomes if of not in receivers]:
            del self.outcomes[of]
            steps.append(drop_outcome(*of))
        return steps


async def kept_in(store: Store) -> Kept:
    """Raises StoreUnavailable."""
    groups, outcomes = await store.do([read_groups(), read_outcomes()])
    kept = Kept()
    for row in groups:
        record = group_of(row)
        key, group = read_group(record)
        kept.groups[key], kept.versions[key] = group, record.version
    kept.outcomes = dict(read_outcome(outcome_of(row)) for row in outcomes)
    return kept
