"""What an HTTPRoute of a VirtualService does beside sending: redirect, respond, rewrite, retry, fault, mirror, CORS."""

import base64
import binascii
from typing import Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_values import (
    BROWSERS_OWN_AGE,
    GRPC_CODES,
    at_block,
    backoff,
    header_changes,
    percent,
    retry_conditions,
)
from meshway.formats.istio_match import string_match
from meshway.formats.native import Tree, put

_DERIVED_PORT: Final = {"FROM_PROTOCOL_DEFAULT": None, "FROM_REQUEST_PORT": None}


def redirect(block: Block) -> Tree:
    told: Tree = {}
    put(told, "path.full", block.text("uri"))
    put(told, "path.prefix", block.text("prefixRewrite"))
    if (authority := block.text("authority")) is not None:
        host, _, port = str(authority.value).partition(":")
        told["host"] = At(host, authority.origin)
        if port.isdigit():
            told["port"] = At(int(port), authority.origin)
    put(told, "scheme", block.text("scheme"))
    put(told, "port", block.number("port"))
    if (derived := block.choice("derivePort", {name: name for name in _DERIVED_PORT})) is not None:
        reason = "the port that was asked for is kept while the scheme is, and else is the scheme's own"
        block.findings.warn(derived.origin, f"is ignored: {reason}")
    put(told, "status", block.number("redirectCode") or At(301, block.origin))
    block.close()
    return told


def respond(block: Block) -> Tree:
    told: Tree = {}
    put(told, "status", block.number("status"))
    if body := block.block("body"):
        put(told, "body", body.text("string"))
        if (written := body.text("bytes")) is not None:
            try:
                told["body"] = At(base64.b64decode(written.value, validate=True).decode(), written.origin)
            except (binascii.Error, UnicodeDecodeError):
                body.findings.refuse(written.origin, "only text is answered: serve other bytes from a service")
        body.close()
    block.close()
    return told


def rewrite(block: Block, *, by_prefix: bool) -> Tree:
    """by_prefix: the rule's matches are prefixes, of which `uri` replaces the matched part."""
    told: Tree = {}
    put(told, "path.prefix" if by_prefix else "path.full", block.text("uri"))
    put(told, "host", block.text("authority"))
    if pattern := block.block("uriRegexRewrite"):
        put(told, "path.regex", pattern.text("match"))
        put(told, "path.substitution", pattern.text("rewrite"))
        pattern.close()
    block.close()
    return told


def retries(block: Block, rule: Tree, *, every_method: bool) -> None:
    """Writes retry and timeouts.attempt. every_method: also those that may act twice, as Istio does."""
    retry: Tree = {}
    attempts = block.number("attempts")
    put(retry, "max_retries", attempts)
    put(rule, "timeouts.attempt", block.duration("perTryTimeout"))
    if (written := block.text("retryOn")) is not None:
        retry_conditions(retry, written, block.findings)
    put(retry, "backoff", backoff(block.duration("backoff")))
    if (ignores := block.flag("retryIgnorePreviousHosts")) is not None:
        retry["same_endpoint"] = At(not ignores.value, ignores.origin)
    block.ignore("retryRemoteLocalities", "a retry goes to another zone where there is one")
    if every_method:
        retry["non_idempotent"] = At(True, block.origin)
    block.close()
    put(rule, "retry", at_block(retry, block.origin))


def fault(block: Block) -> Tree:
    told: Tree = {}
    if delay := block.block("delay"):
        share = percent(delay, "percentage", "percent")
        put(told, "delay.fixed", delay.duration("fixedDelay"))
        delay.refuse("exponentialDelay", "delays are fixed: write fixedDelay")
        if "delay" in told:
            put(told, "delay.percent", share or At(0.0, delay.origin))
        delay.close()
    if abort := block.block("abort"):
        share = percent(abort, "percentage", "percent")
        put(told, "abort.status", abort.number("httpStatus"))
        if (code := abort.text("grpcStatus")) is not None:
            name = str(code.value).upper()
            if name in GRPC_CODES:
                put(told, "abort.grpc_status", At(GRPC_CODES.index(name), code.origin))
            else:
                abort.findings.wrong(code.origin, "out_of_bounds", f"{code.value!r} is no gRPC status")
        abort.refuse("http2Error", "a stream is not broken off: write httpStatus or grpcStatus")
        if "abort" in told:
            put(told, "abort.percent", share or At(0.0, abort.origin))
        abort.close()
    block.close()
    return told


def cors(block: Block) -> Tree:
    told: Tree = {}
    origins = [At(origin.value, origin.origin) for origin in block.texts("allowOrigin")]
    origins += [predicate for inner in block.blocks("allowOrigins") if (predicate := string_match(inner))]
    put(told, "allow_origins", origins)
    put(told, "allow_methods", block.texts("allowMethods"))
    put(told, "allow_headers", block.texts("allowHeaders"))
    put(told, "expose_headers", block.texts("exposeHeaders"))
    put(told, "max_age", block.duration("maxAge") or At(BROWSERS_OWN_AGE, block.origin))
    put(told, "allow_credentials", block.flag("allowCredentials"))
    block.ignore("unmatchedPreflights", "a preflight of another origin is refused by the gateway")
    block.close()
    return told


def headers(block: Block, into: Tree) -> None:
    """Writes request_headers and response_headers of a rule or a destination."""
    for field in ("request", "response"):
        if inner := block.block(field):
            put(into, f"{field}_headers", at_block(header_changes(inner), inner.origin))
    block.close()
