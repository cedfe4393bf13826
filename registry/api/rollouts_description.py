"""What the routes of Rollouts are, for the API's description."""

from __future__ import annotations

from typing import Final

from registry.api import rollouts
from registry.api.parameters import IF_MATCH, PROBLEM
from registry.manners.openapi import Operation, Parameter
from registry.rollouts.told import RolloutPage, RolloutTold
from registry.rollouts.transitions import Action

_ABOUT: Final[dict[Action, str]] = {
    "promote": "Send all calls to the canary, now: the Rollout is over.",
    "hold": "Keep the weights as they are, until somebody promotes, aborts or skips.",
    "abort": "Send all calls back to the stable version: the Rollout is over.",
    "skip": "Go on to the next step without what this one still needs; after the last one, promote.",
}


def rollout_operations() -> list[Operation]:
    place = {"namespace": "default", "name": "books"}
    return [
        Operation(
            method="GET",
            path=rollouts.MANY,
            id="listRollouts",
            tag="rollouts",
            right="documents:read",
            by_rows=True,
            about="How far each Rollout is.",
            parameters=(Parameter(name="namespace", about="Of one namespace; of all that may be read unless told."),),
            answers={200: RolloutPage},
        ),
        Operation(
            method="GET",
            path=rollouts.ONE,
            id="getRollout",
            tag="rollouts",
            right="documents:read",
            about="A Rollout's steps: weights asked and measured, the canary against its control, and the verdict.",
            answers={200: RolloutTold, 404: PROBLEM},
            example=place,
        ),
        *(
            Operation(
                method="POST",
                path=path,
                id=f"{action}Rollout",
                tag="rollouts",
                right="rollouts:write",
                about=_ABOUT[action],
                parameters=(IF_MATCH,),
                body=rollouts.RolloutAsk,
                answers={200: RolloutTold, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
                example=place,
                example_body={"reason": "as the team decided"},
            )
            for action, path in rollouts.ACTS.items()
        ),
    ]
