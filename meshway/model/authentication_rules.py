"""What must hold inside an Authentication."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.http1.field_lines import IDENTITY_PREFIXES
from meshway.jwt_keys import SHARED_ALGORITHMS, KeyFault, read_keys
from meshway.model.authentication import (
    Authentication,
    AuthenticationMethod,
    CredentialPlace,
    Hmac,
    Introspection,
    Jwt,
    Mtls,
)
from meshway.model.document import LABEL_PATTERN, MESH_NAMESPACE
from meshway.model.names import REFUSED_HEADERS, TOKEN
from meshway.model.oidc import Oidc
from meshway.model.oidc_rules import LOOPBACK_HOSTS, OIDC_RULES, is_issuer
from meshway.model.policy_rules import PORTLESS_TARGETS
from meshway.model.rule_kit import BlockRule, Finding, bounded, member_path, one_of, unique
from meshway.model.secret import secret_ref

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")
_MAX_URI: Final = 2048
_DAY: Final = 86_400.0
_LONGEST_SAID_S: Final = 300.0
_QUERY: Final = re.compile(r"[A-Za-z0-9._~-]+\Z")
# What the gateway itself writes or reads in a request: a claim there would say something else than who calls.
_OWN: Final = REFUSED_HEADERS | {
    "authorization", "cookie", "forwarded", "traceparent", "via", "x-real-ip", "x-request-id", "x-forwarded-for",
    "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
}  # fmt: skip
SIGNED_COMPONENTS: Final = ("@method", "@authority", "@path", "@query", "@scheme")
_OWN_PREFIXES: Final = tuple(prefix.decode() for prefix in IDENTITY_PREFIXES)


def _place(part: Any) -> Iterator[Finding]:
    for name in ("header", "cookie"):
        value = getattr(part, name)
        if value is not None and not TOKEN.match(value):
            yield Finding(f".{name}", "bad_name", f'"{value}" names no {name}')
        elif value is not None and name == "header" and value.lower() in REFUSED_HEADERS | {"cookie"}:
            yield Finding(".header", "forbidden_combination", f"{value} carries no credential of its own")
    if part.query is not None and not _QUERY.match(part.query):
        yield Finding(".query", "bad_name", f'"{part.query}" names no part of a query')


def _issuer(part: Any) -> Iterator[Finding]:
    # `#` keeps issuer and subject apart in a caller's name.
    if not _VISIBLE.match(part.issuer) or "#" in part.issuer:
        yield Finding(".issuer", "out_of_bounds", "is visible ASCII without white space and #")


def _uri(part: Any) -> Iterator[Finding]:
    if part.jwks_uri is None:
        return
    try:
        parts = urlsplit(part.jwks_uri)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not _VISIBLE.match(part.jwks_uri) or len(part.jwks_uri) > _MAX_URI:
        yield Finding(".jwks_uri", "out_of_bounds", "is no URL like https://id.example/jwks")
    elif parts.username is not None or parts.password is not None:
        yield Finding(".jwks_uri", "inline_secret", "holds a user or a password, which every reader would see")
    elif parts.fragment:
        yield Finding(".jwks_uri", "out_of_bounds", "has a fragment, which no server gets")


def _endpoint(part: Any) -> Iterator[Finding]:
    if not is_issuer(part.endpoint):
        yield Finding(".endpoint", "out_of_bounds", "is no URL like https://id.example/introspect, without a query")
        return
    parts = urlsplit(part.endpoint)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        reason = "is http: whoever is on the way there sees tokens and says who calls; only a loopback address may be"
        yield Finding(".endpoint", "forbidden_combination", reason)


def _keys(part: Any) -> Iterator[Finding]:
    if part.jwks is None:
        return
    if "secret" in part.jwks:
        is_named = part.jwks.keys() <= {"secret", "namespace"} and re.search(LABEL_PATTERN, str(part.jwks["secret"]))
        if not is_named or part.jwks.get("namespace", "own") not in ("own", MESH_NAMESPACE):
            yield Finding(
                ".jwks", "bad_name", "names a Secret by {secret: NAME, namespace: own | mesh}, and nothing else"
            )
        return
    try:
        keys = read_keys(part.jwks)
    except KeyFault as fault:
        yield Finding(f".jwks{fault.at}", "bad_key", fault.reason)
        return
    if not keys:
        yield Finding(".jwks.keys", "bad_key", "holds no key")


def _components(part: Any) -> Iterator[Finding]:
    for at, name in enumerate(part.components):
        if name not in SIGNED_COMPONENTS and (not TOKEN.match(name) or name != name.lower()):
            known = ", ".join(SIGNED_COMPONENTS)
            yield Finding(f".components[{at}]", "bad_name", f"is a field's name in lower case, or one of {known}")
    for name in ("@method", "@authority", "@path", "@query"):
        if name not in part.components:
            reason = f"lacks {name}: a signature that leaves it open can be shown for another request"
            yield Finding(".components", "forbidden_combination", reason)
    yield from unique(part.components, lambda at: f".components[{at}]", "component")


def _algorithms(part: Any) -> Iterator[Finding]:
    shared = [algorithm for algorithm in part.algorithms if algorithm in SHARED_ALGORITHMS]
    if not shared:
        return
    if len(shared) < len(part.algorithms):
        reason = f"{shared[0]} is by a shared secret, the others are not: what verifies one must not verify the other"
        yield Finding(".algorithms", "forbidden_combination", reason)
    if part.jwks is None or "secret" not in part.jwks:
        reason = f"{shared[0]} needs jwks: {{secret: NAME}}: a shared secret is in no document"
        yield Finding(".algorithms", "forbidden_combination", reason)


def _claim_headers(part: Any) -> Iterator[Finding]:
    for claim, header in part.claims_to_headers.items():
        at = member_path(".claims_to_headers", claim)
        if not TOKEN.match(header):
            yield Finding(at, "bad_name", f'"{header}" is no header name')
        elif header.lower() in _OWN or header.lower().startswith(_OWN_PREFIXES):
            yield Finding(at, "forbidden_combination", f"{header} belongs to the gateway")
    headers = [header.lower() for header in part.claims_to_headers.values()]
    yield from unique(headers, lambda at: member_path(".claims_to_headers", list(part.claims_to_headers)[at]), "header")


def _one_issuer_once(part: Any) -> Iterator[Finding]:
    issuers = [None if method.jwt is None else method.jwt.issuer for method in part.methods]
    yield from unique(issuers, lambda at: f".methods[{at}].jwt.issuer", "issuer")


def _one_authority_once(part: Any) -> Iterator[Finding]:
    names = [None if method.mtls is None else secret_ref(method.mtls.trust).secret for method in part.methods]
    yield from unique(names, lambda at: f".methods[{at}].mtls.trust", "authority")


def _one_login(part: Any) -> Iterator[Finding]:
    logins = [at for at, method in enumerate(part.methods) if method.oidc is not None]
    if len(logins) > 1:
        reason = f"is there already, entry {logins[0]}: a browser is sent to one issuer"
        yield Finding(f".methods[{logins[1]}].oidc", "duplicate", reason)
    if logins and part.require == "optional":
        yield Finding(".require", "forbidden_combination", "optional asks nobody to log in, which oidc is for")


AUTHENTICATION_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    AuthenticationMethod: (one_of("jwt", "api_key", "basic", "hmac", "mtls", "oidc", "introspection"),),
    Hmac: (
        BlockRule(("components",), _components),
        bounded("max_age", 1.0, 3600.0, zero=False),
        bounded("max_body", 1024.0, float(16 << 20), zero=False),
    ),
    CredentialPlace: (one_of("header", "cookie", "query"), BlockRule(("header", "cookie", "query"), _place)),
    Mtls: (BlockRule(("principal",), lambda part: unique(part.principal, lambda at: f".principal[{at}]", "name")),),
    **OIDC_RULES,
    Oidc: (*OIDC_RULES[Oidc], BlockRule(("claims_to_headers",), _claim_headers)),
    Introspection: (
        BlockRule(("endpoint",), _endpoint),
        bounded("cache", 0.001, _LONGEST_SAID_S, zero=True),
        bounded("negative_cache", 0.001, _LONGEST_SAID_S, zero=True),
        bounded("timeout", 0.001, 5.0, zero=False),
    ),
    Jwt: (
        BlockRule(("issuer",), _issuer),
        one_of("jwks", "jwks_uri"),
        BlockRule(("jwks",), _keys),
        BlockRule(("jwks_uri",), _uri),
        BlockRule(("algorithms", "jwks"), _algorithms),
        bounded("jwks_refresh", 5.0, _DAY, zero=False),
        bounded("jwks_max_stale", 60.0, 30 * _DAY, zero=False),
        BlockRule(("claims_to_headers",), _claim_headers),
        bounded("clock_skew", 0.0, 300.0, zero=True),
        bounded("max_age", 1.0, 366 * _DAY, zero=False),
    ),
    Authentication: (
        PORTLESS_TARGETS,
        BlockRule(("methods",), _one_issuer_once),
        BlockRule(("methods",), _one_authority_once),
        BlockRule(("methods", "require"), _one_login),
    ),
}
