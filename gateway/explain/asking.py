"""From a question to the exchange that the wire would make of it: read by the wire's own reader, with its limits."""

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gateway.compiler.listeners import ListenerPlan
from gateway.compiler.state import State
from gateway.exchange import EDGE, MESH, Exchange
from gateway.wire.connection_limits import ConnectionLimits
from meshway.explanation import CallQuestion
from meshway.http1.authority import parse_authority
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadError, RequestReader
from meshway.model.listener import EDGE as EDGE_FACE
from meshway.model.listener import FACES
from meshway.model.listener import MESH as MESH_FACE
from meshway.model.nearest import did_you_mean

LOOPBACK: Final = "127.0.0.1"


class Asked(NamedTuple):
    """exchange: its path is not canonical yet. caller: in words. plan: of the listener it comes by."""

    exchange: Exchange
    caller: str
    plan: ListenerPlan


def read_question(question: CallQuestion, state: State, now: float) -> Asked:
    """Raises HeadError for what the wire would refuse, ValueError for what is no question."""
    url = urlsplit(question.url if "//" in question.url else f"//{question.url}")
    if url.scheme not in ("", "http", "https"):
        raise ValueError(f"url: {url.scheme} is not http")
    authority = next((value for name, value in question.headers.items() if name.lower() == "host"), url.netloc)
    if not authority:
        raise ValueError("url: names no host")
    name = _listener(question, authority, state)
    if name in FACES and url.scheme == "https":
        name += "-tls"
    plan = state.served.listeners[name]
    face = MESH if plan.face == MESH_FACE else EDGE
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    fields = {name: value for name, value in question.headers.items() if name.lower() != "host"}
    lines = [f"{question.method.upper()} {target} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise HeadError(400, "bad_request", "a header value holds a control, a bare CR or a bare LF")
    known = request_lines(underscores=plan.underscores, method_override="drop" if face == EDGE else "pass")
    reader = RequestReader(plan.limits(ConnectionLimits()).head, lines=known)
    head = reader.read("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    assert head is not None
    address, caller = caller_of(question, state)
    scheme = b"https" if plan.is_tls else b"http"
    return Asked(Exchange(head, face, address, now, scheme, listener_name=name), caller, plan)


def _listener(question: CallQuestion, authority: str, state: State) -> str:
    known = state.served.listeners
    if question.listener is not None:
        if question.listener not in known:
            raise ValueError(f"listener: there is no {question.listener}{did_you_mean(question.listener, known)}")
        return question.listener
    try:
        host, _ = parse_authority(authority.encode())
    except ValueError:
        return EDGE_FACE
    return MESH_FACE if host in state.tables.mesh.names else EDGE_FACE


def caller_of(question: CallQuestion, state: State) -> tuple[str, str]:
    """Address, and who it is in words."""
    if question.address is not None:
        return question.address, question.address
    if question.as_ is None:
        return LOOPBACK, LOOPBACK
    namespace, _, name = question.as_.rpartition("/")
    service = (namespace or "default", name)
    instances = state.instances.get(service, {})
    if not instances:
        raise ValueError(f"as: service {service[0]}/{service[1]} has no instance that could call")
    first = instances[min(instances)]
    return first.address, f"{service[0]}/{service[1]} instance {first.id} at {first.address}"
