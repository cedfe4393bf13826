"""What checks found, as one write: whoever fails becomes critical, whoever passes is what it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from registry.leases.writes import with_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.revisions.draft import Draft
    from registry.view.rows import InstanceKey


class Finding(msgspec.Struct, frozen=True):
    """number, generation: whose it is; what an older process answered says nothing of its successor."""

    key: InstanceKey
    number: int
    generation: int
    is_passing: bool


class Findings(msgspec.Struct, frozen=True):
    """One revision for all of them."""

    findings: Sequence[Finding]

    @property
    def size(self) -> int:
        return 512 * len(self.findings)

    def judge(self, draft: Draft) -> None:
        for finding in self.findings:
            row = draft.instance(finding.key)
            if row is None or (row.number, row.instance.generation) != (finding.number, finding.generation):
                continue
            if row.instance.check is None or finding.is_passing is (row.instance.status != "critical"):
                continue
            draft.put_instance(with_status(row, row.wanted if finding.is_passing else "critical", draft.revision))
