"""A backendRef of any route of Gateway API: the Service it means, if that is reached with its namespace's consent."""

from typing import Final

from meshway.formats.foreign import Block
from meshway.formats.native import Tree, put
from meshway.formats.surroundings import Foreign, ServiceName, Surroundings

GROUPS: Final = ("", "core")  # Kubernetes' own


def backend(block: Block, one: Foreign, around: Surroundings) -> Tree | None:
    """The Destination of a backendRef; the caller closes the block."""
    group, kind = block.text("group"), block.text("kind")
    name, namespace, port = block.text("name"), block.text("namespace"), block.number("port")
    if name is None:
        block.findings.wrong(block.at("name"), "missing_field", "is required")
        return None
    of, what = (group.value if group else ""), (kind.value if kind else "Service")
    if of not in GROUPS or what != "Service":
        origin = kind.origin if kind else group.origin if group else block.origin
        block.findings.refuse(origin, f"{what} is no destination: a Service is")
        return None
    service = ServiceName(namespace.value if namespace else one.namespace, name.value)
    if service.namespace != one.namespace and not _has_consent(service, one, around):
        origin = namespace.origin if namespace else name.origin
        reason = f"{service.namespace}/{service.name} is another namespace's, and no ReferenceGrant of this import "
        block.findings.refuse(origin, f"{reason}lets a {one.kind} of {one.namespace} send there")
        return None
    told = around.destination(service, one.namespace, name.origin)
    put(told, "port", around.port_of(service, port) if port else None)
    return told


def _has_consent(service: ServiceName, one: Foreign, around: Surroundings) -> bool:
    asked = (one.kind, one.namespace, service.namespace)
    return any((*asked, name) in around.consents for name in (service.name, None))
