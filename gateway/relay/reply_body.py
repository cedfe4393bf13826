"""The body of an answer of our own: an RFC 9457 problem that names the reason, the policy and the request."""

from gateway.exchange import Exchange, Reply
from meshway.problem import CONTENT_TYPE, Problem

CONTENT_TYPE_FIELD = b"Content-Type: " + CONTENT_TYPE.encode() + b"\r\n"


def reply_body(exchange: Exchange, reply: Reply) -> tuple[bytes, bytes]:
    """Header fields that belong to the body, and the body. A reply that brings its own body brings its own fields."""
    if reply.body is not None:
        return b"", reply.body
    title = reply.reason.replace("_", " ").capitalize()
    extra: dict[str, object] = {"policy": exchange.policy} if exchange.policy else {}
    if reply.members is not None:
        extra |= reply.members
    problem = Problem(reply.status, reply.reason, title, detail=reply.detail or None, extra=extra)
    return CONTENT_TYPE_FIELD, problem.encode(exchange.request_id.decode("ascii"))
