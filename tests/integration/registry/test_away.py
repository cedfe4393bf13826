"""A registry that had no store for longer than the store keeps rows of what is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from registry.people.keeping import KEPT_S
from registry.rights.following import AWAY_S, PeopleFollowing
from registry.store.people import forget_people
from registry.view.view import View
from tests.parts.people import ROOT, made_user
from tests.parts.registry import running_registry
from tests.parts.registry_tokens import made_token

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cheap_passwords")


async def test_who_went_while_it_was_away_is_gone_there_too(tmp_path: Path) -> None:
    now, told = time.time(), []
    async with running_registry(tmp_path) as registry:
        await made_token(registry, "ci", "viewer")
        for name in ("ann", "bob"):
            await made_user(registry, name, "viewer")
        store, view = registry.core.store, View(epoch="e", revision=0, floor=1, instance_number=0)
        following = PeopleFollowing(view, store, lambda: now)
        await following.look()
        view.on_people.append(lambda: told.append(now))
        await registry.core.callers.users.delete("ann", ROOT)
        await store.do([forget_people(now + 2 * KEPT_S)])
        now += AWAY_S - 1.0
        await following.look()
        assert set(view.people["user"]) == {"ann", "bob"}, "of what has gone meanwhile there is a row"
        now += AWAY_S + 1.0
        await following.look()
        assert set(view.people["user"]) == {"bob"}
        assert len(view.people["binding"]) == 1
        assert (len(view.tokens), told) == (1, [now])
