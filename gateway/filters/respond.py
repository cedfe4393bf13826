"""Answers itself, without a service: the same status and body for every call (Envoy's direct_response)."""

from gateway.exchange import Reply
from gateway.plan import RequestFilter
from meshway.model.respond import Respond


def compile_filter(respond: Respond) -> RequestFilter:
    body = respond.body.encode()
    fields = f"Content-Type: {respond.content_type}\r\n".encode("latin-1") if body else b""
    reply = Reply(respond.status, "respond", "", fields=fields, body=body)
    return lambda _: reply
