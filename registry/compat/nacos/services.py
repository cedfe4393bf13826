"""Nacos's services: our Service documents, and the services that stand there by their instances alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meshway.model.decode import decode_document
from meshway.problem import Problem
from registry.compat.bookkeeping import shown_metadata
from registry.compat.nacos.hosts import shown_cluster
from registry.compat.nacos.names import Place, namespace_id_of, namespace_of, place_of, service_name, split_name
from registry.compat.nacos.parameters import Parameters, metadata_of, refused, whole
from registry.documents.document_key import Key
from registry.machine.request import Reply, answer_when, json_reply

if TYPE_CHECKING:
    from asyncio import Future

    from meshway.model.document import Document, Spec
    from registry.documents.documents import Documents
    from registry.view.view import View

OK: Final = b"ok"
_MAX_PAGE: Final = 1000


class Services:
    def __init__(self, view: View, documents: Documents) -> None:
        self._view = view
        self._documents = documents

    def create(self, parameters: Parameters, by: str) -> Future[Reply]:
        place = place_of(parameters)
        if self._is_there(place):
            raise refused(f"specified service already exists, serviceName : {place.full}")
        _refuse_unkept(parameters)
        document, spec = self._document(place, metadata_of(parameters.get("metadata", "")))
        return answer_when(
            self._documents.put(document, spec, by=by, create_only=True), lambda stored: ok(stored.revision)
        )

    def update(self, parameters: Parameters, by: str) -> Future[Reply]:
        place = place_of(parameters)
        if not self._is_there(place):
            raise refused(f"service {place.full} not found!")
        _refuse_unkept(parameters)
        document, spec = self._document(place, metadata_of(parameters.get("metadata", "")))
        return answer_when(self._documents.put(document, spec, by=by), lambda stored: ok(stored.revision))

    def remove(self, parameters: Parameters, by: str) -> Reply | Future[Reply]:
        place = place_of(parameters)
        if not self._is_there(place):
            raise refused(f"specified service not exist, serviceName : {place.full}")
        if self._view.services.get((place.namespace, place.service)):
            raise refused(f"specified service has instances, serviceName : {place.full}")
        return answer_when(self._documents.delete(_key(place), by=by), ok)

    def detail(self, parameters: Parameters) -> Reply:
        place = place_of(parameters)
        if not self._is_there(place):
            raise Problem(404, "not_found", "Not found", detail=f"service {place.full} is not found!")
        row = self._view.document(("Service", place.namespace, place.service))
        rows = self._view.services.get((place.namespace, place.service), {}).values()
        return json_reply(
            {
                "namespaceId": namespace_id_of(place.namespace),
                "groupName": place.group,
                "name": place.name,
                "protectThreshold": 0.0,
                "metadata": {} if row is None else shown_metadata(row.document.metadata.annotations),
                "selector": {"type": "none"},
                "clusters": [
                    {"name": cluster, "healthChecker": {"type": "NONE"}, "metadata": {}}
                    for cluster in sorted({shown_cluster(row.instance) for row in rows})
                ],
            }
        )

    def list(self, parameters: Parameters) -> Reply:
        number, size = whole(parameters, "pageNo", 1), whole(parameters, "pageSize", 10)
        if not 1 <= size <= _MAX_PAGE:
            raise refused(f"Param 'pageSize' is not within 1 and {_MAX_PAGE}")
        wanted = parameters.get("groupName", "").strip() or "DEFAULT_GROUP"
        namespace = namespace_of(parameters)
        names = []
        for _, service in self._view.service_keys(namespace):
            group, name = split_name(service_name(self._view, namespace, service), "")
            if group == wanted:
                names.append(name)
        start = max(number - 1, 0) * size
        return json_reply({"count": len(names), "doms": names[start : start + size]})

    def _is_there(self, place: Place) -> bool:
        at = (place.namespace, place.service)
        return at in self._view.services or self._view.document(("Service", *at)) is not None

    def _document(self, place: Place, metadata: dict[str, str]) -> tuple[Document, Spec]:
        """What the document says beside Nacos's part stays."""
        before = self._view.document(("Service", place.namespace, place.service))
        raw: dict[str, Any] = {
            "apiVersion": "meshway/v1",
            "kind": "Service",
            "metadata": {
                "name": place.service,
                "namespace": place.namespace,
                "annotations": {**metadata, **place.kept},
            },
            "spec": {} if before is None else before.document.spec,
        }
        if before is not None:
            raw["metadata"]["labels"] = before.document.metadata.labels
        return decode_document(raw)


def ok(revision: int | None = None) -> Reply:
    """Nacos's word for done."""
    return Reply(200, OK, content_type=b"text/plain", revision=revision)


def _key(place: Place) -> Key:
    return Key("Service", place.namespace, place.service)


def _refuse_unkept(parameters: Parameters) -> None:
    """What would be dropped without a word."""
    threshold = parameters.get("protectThreshold", "").strip() or "0"
    if threshold.strip("0.") != "":
        raise refused(
            "protectThreshold is not kept here: the registry's self-preservation and the gateway's panic guard instead"
        )
    selector = parameters.get("selector", "").strip()
    if selector and '"none"' not in selector:
        raise refused("selectors are not kept here: write a Route or a Service with subsets")
