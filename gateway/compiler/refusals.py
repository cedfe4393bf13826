"""Which refusals stand after a revision."""

from collections.abc import Mapping

from gateway.compiler.diff import Diff, DocumentKey, Refusal
from gateway.compiler.endpoint_set import EndpointSet
from gateway.compiler.state import State
from meshway.snapshot import INSTANCE


def standing_refusals(
    base: State, diff: Diff, anew: EndpointSet, fresh: Mapping[DocumentKey, Refusal], *, whole: bool
) -> dict[DocumentKey, Refusal]:
    """Old ones of what was not sent again, then this revision's. Waiting documents were tried again already."""
    standing: dict[DocumentKey, Refusal] = {}
    if base.refusals and not whole:
        sent = {(INSTANCE, key[0], f"{key[1]}/{identity}") for key, ids in diff.instances.items() for identity in ids}
        sent |= diff.documents.keys()
        mended = {("Service", *service) for service in anew.updated}
        tried = base.waiting.keys() if diff.documents else frozenset()
        standing = {
            key: refusal
            for key, refusal in base.refusals.items()
            if key not in sent and key not in tried and (key not in mended or key in base.waiting)
        }
    return standing | anew.stuck | {refusal.key: refusal for refusal in diff.refusals} | dict(fresh)
