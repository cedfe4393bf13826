"""What a caller has proved, asked by rules: who he is, and what his token says of him."""

from collections.abc import Callable, Iterable, Mapping

from gateway.exchange import Exchange
from gateway.routing.string_match import HoldsText, compile_string
from meshway.identity import claim, claim_texts
from meshway.model.document import MESH_NAMESPACE
from meshway.model.match import StringMatch, Text
from meshway.peer_certificate import FOREIGN, METHOD

Test = Callable[[Exchange], bool]


def is_anonymous(exchange: Exchange) -> bool:
    principal = exchange.principal
    return principal is None or not principal.method


def is_by_word_of(namespaces: Iterable[str]) -> Test:
    """Whether what was proved was proved to an Authentication of these, or to the mesh itself: whoever writes another
    one may choose keys and passwords as he likes, and with them any name. Who has proved nothing claims nothing."""
    words = tuple({f"Authentication {namespace}/" for namespace in namespaces})

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        return (
            principal is None
            or not principal.policy
            or principal.policy.startswith(words)
            or (principal.method == METHOD and not principal.name.startswith(FOREIGN))
        )

    return is_meant


def is_principal(text: Text) -> Test:
    """Whoever has proved nothing has no name, whatever he says."""
    holds = compile_string(text)

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        return holds(principal.name.encode() if principal is not None and principal.method else None)

    return is_meant


def is_of_namespace(namespace: str) -> Test:
    """A workload of it, as it has proved."""

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        return (
            principal is not None and bool(principal.method and principal.service) and principal.namespace == namespace
        )

    return is_meant


def is_consumer(namespace: str, name: str) -> Test:
    """namespace: the policy's. Another one's Consumers are none of its own making, whatever they are called."""
    names = {f"{namespace}/{name}", f"{MESH_NAMESPACE}/{name}"}

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        return principal is not None and principal.consumer in names

    return is_meant


def is_in_group(namespace: str, group: str) -> Test:
    """As `is_consumer`: who is in a group is the word of the Consumer's namespace, or of the Authentication's."""
    of = (f"{namespace}/", f"{MESH_NAMESPACE}/")
    by = (f"Authentication {namespace}/", f"Authentication {MESH_NAMESPACE}/")

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        if principal is None:
            return False
        if group in principal.token_groups and principal.policy.startswith(by):
            return True
        return group in principal.groups and principal.consumer.startswith(of)

    return is_meant


def is_workload(namespace: str, service: str = "") -> Test:
    """A service that has proved its name, "": any of the namespace."""

    def is_meant(exchange: Exchange) -> bool:
        principal = exchange.principal
        if principal is None or not principal.method or not principal.service:
            return False
        return principal.namespace == namespace and (not service or principal.service == service)

    return is_meant


def has_claims(claims: Mapping[str, Text]) -> Test:
    """All of them; of a claim that is a list one member must hold, of an inverted text each."""
    asked = [
        (path, compile_string(text), isinstance(text, StringMatch) and text.invert) for path, text in claims.items()
    ]

    def has(exchange: Exchange) -> bool:
        principal = exchange.principal
        said = principal.claims if principal is not None and principal.method else {}
        return all(_holds(claim_texts(claim(said, path)), holds, is_inverted) for path, holds, is_inverted in asked)

    return has


def _holds(texts: tuple[str, ...], holds: HoldsText, is_inverted: bool) -> bool:
    if not texts:
        return holds(None)
    found = [holds(text.encode()) for text in texts]
    return all(found) if is_inverted else any(found)
