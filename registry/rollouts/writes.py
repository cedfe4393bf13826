"""The writes of a Rollout: its state and the weights that belong to it, in one revision, or neither.

Each says from which state it goes on. A registry that was away, killed, or believes it still leads finds another one
there, and changes nothing: no step is done twice, and one that was not committed is not lost but due again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.model.rollout import Rollout
from meshway.model.rollout_state import Measures, RolloutState
from meshway.problem import Problem, not_found
from registry.documents.applying import Apply, Written
from registry.documents.approvals import WAIVED
from registry.documents.rollouts import put_state, route_key, sound_rule, state_key, state_of, weighed
from registry.revisions.draft import Apart
from registry.rollouts.transitions import Action, asked, begun, failed, passed

if TYPE_CHECKING:
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey, DocumentRow

_BYTES: Final = 32_768


def principal_of(key: DocumentKey) -> str:
    """By whose word the weights are: as histories and the audit log tell it."""
    return f"rollout/{key[1]}/{key[2]}"


class Turn(msgspec.Struct, Apart, frozen=True):
    """What the Rollout does by itself. revision: of the Rollout; state: that of its state, 0: it has none. Answers
    whether it was still so."""

    key: DocumentKey
    revision: int
    state: int
    what: Literal["begin", "pass", "fail"]
    measures: Measures = Measures()

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> bool:
        row = draft.document(self.key)
        if row is None or row.revision != self.revision or _state_revision(self.key, draft) != self.state:
            return False
        assert isinstance(row.spec, Rollout)
        if self.what == "begin":
            following = begun(row.spec, row.revision, draft.at)
        else:
            state = state_of(row, draft.document)
            if state is None:
                return False
            step = passed if self.what == "pass" else failed
            following = step(row.spec, state, draft.at, self.measures)
        _write(draft, row, row.spec, following)
        return True


class Ask(msgspec.Struct, Apart, frozen=True):
    """What somebody wants of it. state: the revision of its state that he saw; None: whichever. Answers the revision.

    Raises Problem 404, 409, 412.
    """

    key: DocumentKey
    action: Action
    by: str
    reason: str
    state: int | None
    measures: Measures = Measures()

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> int:
        row = draft.document(self.key)
        if row is None:
            raise not_found("{} {}/{}".format(*self.key))
        assert isinstance(row.spec, Rollout)
        revision = _state_revision(self.key, draft)
        if self.state is not None and self.state != revision:
            raise Problem(
                412,
                "precondition_failed",
                "Changed since",
                detail=f"Rollout {self.key[1]}/{self.key[2]} is not at revision {self.state} but at {revision}",
                mend="look at it again, and send that revision as If-Match",
            )
        state = state_of(row, draft.document) or begun(row.spec, row.revision, draft.at)
        following = asked(row.spec, state, self.action, draft.at, self.measures, self.by, self.reason)
        _write(draft, row, row.spec, following)
        return draft.revision


def _state_revision(key: DocumentKey, draft: Draft) -> int:
    row = draft.document(state_key(*key[1:]))
    return 0 if row is None else row.revision


def _write(draft: Draft, row: DocumentRow, rollout: Rollout, state: RolloutState) -> None:
    """Raises Problem 409 where the rule no longer leads to both versions."""
    by, route = principal_of(row.key), draft.document(route_key(row))
    if route is None or sound_rule(route, rollout) is None:
        raise Problem(
            409,
            "conflict",
            "The rule is another one",
            detail=f"rule {rollout.rule} of Route {row.key[1]}/{rollout.route} does not lead to both versions alone",
            mend="give the rule the two destinations that the Rollout names",
        )
    changed = weighed(route, rollout, state.weight_percent, is_over=state.is_over)
    put_state(draft, *row.key[1:], state, by)
    Apply([Written(*changed)], [], by, rollout=row.key, agreement=WAIVED).judge(draft)
