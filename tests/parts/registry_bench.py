"""The registry's thoughts without store, loop or clock: writes are judged, applied, and answered at once."""

from __future__ import annotations

from typing import Any, TypeVar

from meshway.model.decode import decode_document
from meshway.model.registration import Registration
from registry.catalog.registering import Registered, RegisterOne
from registry.documents.applying import Apply, Written
from registry.documents.document_key import Key
from registry.documents.outcomes import Applied
from registry.revisions.draft import Draft, Write
from registry.view.rows import InstanceRow
from registry.view.view import View

_T = TypeVar("_T")


def empty_view(revision: int = 0) -> View:
    return View(epoch="e1", revision=revision, floor=revision + 1, instance_number=0)


def registration(service: str = "books", instance_id: str = "b1", **fields: Any) -> Registration:
    given: dict[str, Any] = {"address": "127.0.0.1", "port": 8000} | fields
    return Registration(service=service, id=instance_id, **given)


def written(kind: str, name: str, spec: dict[str, Any], namespace: str = "default", **metadata: Any) -> Written:
    raw = {
        "apiVersion": "meshway/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }
    return Written(*decode_document(raw))


def route_to(service: str, name: str = "r", prefix: str = "/", subset: str | None = None, **spec: Any) -> Written:
    """A Route of one rule."""
    destination = {"service": service} | ({"subset": subset} if subset else {})
    rule = {"name": "all", "match": [{"path": {"prefix": prefix}}], "destinations": [destination]}
    return written("Route", name, {"rules": [rule], **spec})


class Bench:
    """view: what all writes so far made. at: the time of the next one."""

    def __init__(self) -> None:
        self.view = empty_view()
        self.at = 1000.0
        self.renewed: list[InstanceRow] = []

    def commit(self, write: Write[_T]) -> _T:
        """The answer; raises what the write raises, and then nothing has changed."""
        draft = Draft(self.view, at=self.at)
        answer = draft.judge(write)
        draft.apply()
        return answer

    def register(self, service: str = "books", instance_id: str = "b1", **fields: Any) -> Registered:
        return self.commit(RegisterOne(registration(service, instance_id, **fields), self.renewed.append))

    def apply(self, *documents: Written, delete: tuple[Key, ...] = ()) -> Applied:
        return self.commit(Apply(documents, delete, "tests"))
