"""Which Authentication a rule's calls must satisfy. What is known of tokens lives as long as the document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.authentication.certificate_method import CertificateMethod, certificate_of
from gateway.authentication.introspection_method import IntrospectionMethod, reading_client_secret
from gateway.authentication.key_method import KeyMethod, read_listed
from gateway.authentication.oidc_client import OidcClient
from gateway.authentication.oidc_method import OidcMethod
from gateway.authentication.password_method import PasswordMethod, read_users
from gateway.authentication.places import Credentials, are_in_head, basic, compile_places, compile_removal
from gateway.authentication.proof import Method
from gateway.authentication.session_cookie import Jar
from gateway.authentication.signature_method import SignatureMethod, read_signing_keys, signature_of
from gateway.authentication.token_method import FetchedKeys, InlineKeys, Keys, SecretKeys, TokenMethod, read_set
from gateway.compiler.diff import CompileError, DocumentKey, Entry
from gateway.compiler.policies import MESH, Attached, service_places
from gateway.compiler.policies import Place as PolicyPlace
from gateway.filters import body_digest, claim_headers
from gateway.filters.authenticate import Believed, Checks, compile_filter, compile_forecast
from gateway.filters.login import LoginDesk
from gateway.filters.login import compile_filter as compile_login
from gateway.filters.login import compile_forecast as compile_login_forecast
from gateway.plan import FilterStep, Parts
from gateway.secret_ring import ReadSecret
from meshway.http1.fields import dashed
from meshway.issuers.provider import set_name
from meshway.jwt_keys import KeyFault, KeySet, read_keys
from meshway.model.authentication import (
    ApiKey,
    Authentication,
    AuthenticationMethod,
    Basic,
    CredentialPlace,
    Hmac,
    Introspection,
    Jwt,
    Mtls,
    Place,
)
from meshway.model.listener import TRUST_MESH
from meshway.model.oidc import Oidc
from meshway.model.secret import SecretRef, secret_ref

STEP: Final = "authentication"
_SIGNATURE: Final = (CredentialPlace(header="Signature-Input"), CredentialPlace(header="Signature"))


class Authentications:
    """All of them by the place they speak for, each compiled once for all rules. all_owned: fields that callers write
    on no way. shown: of each, where credentials are, as names of headers and of cookies."""

    def __init__(
        self, entries: Iterable[Entry[Authentication]], before: "Authentications | None", parts: Parts
    ) -> None:
        """before: those of the last tables."""
        entries = list(entries)
        known: Mapping[DocumentKey, tuple[Authentication, tuple[FilterStep, ...]]] = (
            before._made if before is not None else {}
        )
        self._attached = Attached(entries)
        self._made: dict[DocumentKey, tuple[Authentication, tuple[FilterStep, ...]]] = {}
        for entry in entries:
            made = known.get(entry.key)
            self._made[entry.key] = (
                made
                if made is not None and made[0] == entry.spec
                else (
                    entry.spec,
                    compile_steps(entry, parts),
                )
            )
        self._owned = {entry.key: owned_headers(entry.spec) for entry in entries}
        self.all_owned = frozenset().union(*self._owned.values())
        self.shown = [credential_places(entry.spec) for entry in entries]

    def steps(self, route: tuple[PolicyPlace, ...], services: Sequence[tuple[str, str, str]]) -> tuple[FilterStep, ...]:
        """route: its places, from the wider one. services: namespace, service, subset of each destination.

        The narrowest place with a document decides; of a split, whatever any destination's asks: the call may go there.
        """
        own: tuple[PolicyPlace, ...] = (MESH, ("namespace", route[0][1]))
        found: dict[DocumentKey, None] = {}
        for of_service in [service_places(*service)[1:] for service in services] or [()]:
            entry = self._narrowest((*own, *of_service, *route))
            if entry is not None:
                found[entry.key] = None
        steps = [step for key in found for step in self._made[key][1]]
        foreign = self.all_owned.difference(*(self._owned[key] for key in found))
        if foreign:
            steps.append(FilterStep("claim headers", "", claim_headers.compile_filter(foreign)))
        return tuple(steps)

    def _narrowest(self, places: Sequence[PolicyPlace]) -> Entry[Authentication] | None:
        return next((entry for place in reversed(places) for entry in self._attached.at((place,))), None)


def compile_steps(entry: Entry[Authentication], parts: Parts) -> tuple[FilterStep, ...]:
    """Raises CompileError."""
    spec, policy = entry.spec, f"Authentication {entry.title}"
    methods: list[tuple[Credentials, Method]] = []
    places: list[Place] = []
    login: OidcMethod | None = None
    for at, method in enumerate(spec.methods):
        if method.jwt is not None:
            places += method.jwt.from_
            judging = _token_method(entry, method.jwt, f"spec.methods[{at}].jwt.jwks", parts)
            methods.append((compile_places(method.jwt.from_), judging))
        elif method.api_key is not None:
            places += method.api_key.from_
            methods.append((compile_places(method.api_key.from_), _key_method(entry, method.api_key, parts)))
        elif method.basic is not None:
            methods.append((basic, _password_method(entry, method.basic, parts)))
        elif method.hmac is not None:
            places += _SIGNATURE
            methods.append(_signature_method(entry, method.hmac, parts))
        elif method.introspection is not None:
            places += method.introspection.from_
            asking = _introspection_method(entry, method.introspection, parts)
            methods.append((compile_places(method.introspection.from_), asking))
        elif method.mtls is not None:
            methods.append(_certificate_method(entry, method.mtls, parts))
        elif method.oidc is not None:
            login = _oidc_method(entry, method.oidc, parts)
            methods.append((login.shown, login))
    believed = Believed(judging for _, judging in methods)
    _watch(spec, believed, parts)
    checks = Checks(
        policy=policy,
        realm=next((method.basic.realm for method in spec.methods if method.basic and method.basic.realm), entry.title),
        methods=methods,
        require=spec.require,
        take_out=None if spec.forward_credentials else compile_removal(places),
        owned=dashed(owned_headers(spec) | _owned_tokens(spec)),
        is_of_head=are_in_head(places)
        and all(method.mtls is None and method.hmac is None and method.oidc is None for method in spec.methods),
        is_suspended=parts.consumers.is_suspended,
    )
    run = compile_filter(checks, believed)
    forecast = compile_forecast(checks)
    if login is not None:
        desk, others = (
            LoginDesk(login, policy, parts.wall),
            [shown for shown, judging in methods if judging is not login],
        )
        run = compile_login(desk, login, run, others, is_all=spec.require == "all")
        forecast = compile_login_forecast(desk, policy, forecast)
    steps = [FilterStep(STEP, "", run, forecast)]
    if largest := max((method.hmac.max_body for method in spec.methods if method.hmac is not None), default=None):
        digest = body_digest.compile_filter(policy, int(largest), is_always_signed=spec.require == "all")
        steps.append(FilterStep("body digest", "", digest, body_digest.forecast))
    return tuple(steps)


def owned_headers(spec: Authentication) -> frozenset[bytes]:
    """Names, lower-case, of the fields by which it tells services who calls."""
    return frozenset(
        header.lower().encode()
        for method in spec.methods
        for part in (method.jwt, method.oidc)
        if part is not None
        for header in part.claims_to_headers.values()
    )


def credential_places(spec: Authentication) -> tuple[frozenset[str], frozenset[str]]:
    """Names of headers, lower-case, and of cookies by which callers prove who they are, as far as services get them;
    without Authorization."""
    headers, cookies = set[str](), set[str]()
    for method in spec.methods:
        if method.mtls is not None and method.mtls.forward_certificate:
            headers.add("x-forwarded-client-cert")
        for part in (method.jwt, method.api_key, method.introspection):
            for place in () if part is None or not spec.forward_credentials else part.from_:
                if isinstance(place, CredentialPlace):
                    headers |= {place.header.lower()} if place.header is not None else set()
                    cookies |= {place.cookie} if place.cookie is not None else set()
    return frozenset(headers - {"authorization"}), frozenset(cookies)


def _owned_tokens(spec: Authentication) -> frozenset[bytes]:
    """The field of a token that the service gets in place of the caller's own."""
    forwards = any(method.oidc is not None and method.oidc.forward != "none" for method in spec.methods)
    return frozenset({b"authorization"}) if forwards else frozenset()


def _watch(spec: Authentication, believed: Believed, parts: Parts) -> None:
    """Whatever decides beside the document."""
    parts.consumers.watch(believed)
    for method in spec.methods:
        if method.jwt is not None and method.jwt.jwks_uri is not None:
            parts.keys.watch(method.jwt.jwks_uri, believed)
        if method.oidc is not None:
            parts.keys.watch(set_name(method.oidc.issuer), believed)
        for name in _secrets_of(method):
            parts.secrets.watch(name, believed)


def _secrets_of(method: AuthenticationMethod) -> Iterator[str]:
    if method.jwt is not None and method.jwt.jwks is not None and "secret" in method.jwt.jwks:
        yield method.jwt.jwks["secret"]
    if method.api_key is not None and method.api_key.secret is not None:
        yield secret_ref(method.api_key.secret).secret
    if method.basic is not None:
        yield secret_ref(method.basic.secret).secret
    if method.hmac is not None:
        yield secret_ref(method.hmac.keys).secret
    if method.mtls is not None:
        yield secret_ref(method.mtls.trust).secret
    if method.oidc is not None:
        yield secret_ref(method.oidc.client_secret).secret
    if method.introspection is not None:
        yield secret_ref(method.introspection.client_secret).secret


def _ref_of(jwks: Mapping[str, Any]) -> SecretRef:
    return SecretRef(secret=jwks["secret"], namespace=jwks.get("namespace"))


def _token_method(entry: Entry[Authentication], jwt: Jwt, path: str, parts: Parts) -> TokenMethod:
    keys: Keys
    if jwt.jwks_uri is not None:
        keys = FetchedKeys(parts.keys, jwt.jwks_uri, float(jwt.jwks_max_stale))
    elif jwt.jwks is not None and "secret" in jwt.jwks:
        keys = SecretKeys(ReadSecret(parts.secrets, entry.namespace, _ref_of(jwt.jwks), ("jwks",), read_set))
    else:
        keys = InlineKeys(_inline_keys(jwt, path))
    policy, is_only = f"Authentication {entry.title}", len(entry.spec.methods) == 1
    return TokenMethod(jwt, entry.namespace, policy, keys, parts.consumers, parts.now, parts.wall, is_only=is_only)


def _key_method(entry: Entry[Authentication], spec: ApiKey, parts: Parts) -> KeyMethod:
    listed = None
    if spec.secret is not None:
        listed = ReadSecret(parts.secrets, entry.namespace, secret_ref(spec.secret), ("api_key_set",), read_listed)
    policy = f"Authentication {entry.title}"
    return KeyMethod(entry.namespace, policy, parts.consumers, listed, parts.now, parts.wall)


def _password_method(entry: Entry[Authentication], spec: Basic, parts: Parts) -> PasswordMethod:
    wanted, policy = secret_ref(spec.secret), f"Authentication {entry.title}"
    users = ReadSecret(parts.secrets, entry.namespace, wanted, ("basic_users",), read_users)
    return PasswordMethod(entry.namespace, policy, parts.consumers, users, parts.passwords, parts.now, parts.wall)


def _signature_method(entry: Entry[Authentication], spec: Hmac, parts: Parts) -> tuple[Credentials, Method]:
    wanted, policy = secret_ref(spec.keys), f"Authentication {entry.title}"
    keys = ReadSecret(parts.secrets, entry.namespace, wanted, ("hmac_keys", "jwks"), read_signing_keys)
    method = SignatureMethod(spec, policy, keys, parts.nonces, parts.now, parts.wall)
    return signature_of([component.encode() for component in spec.components]), method


def _introspection_method(entry: Entry[Authentication], spec: Introspection, parts: Parts) -> IntrospectionMethod:
    wanted, policy = secret_ref(spec.client_secret), f"Authentication {entry.title}"
    secret = ReadSecret(parts.secrets, entry.namespace, wanted, ("opaque",), reading_client_secret(wanted.key))
    link = parts.issuers.apart("introspection")
    return IntrospectionMethod(spec, entry.namespace, policy, secret, parts.consumers, link, parts.now, parts.wall)


def _certificate_method(entry: Entry[Authentication], spec: Mtls, parts: Parts) -> tuple[Credentials, Method]:
    """Its Secret is the Listener's matter, which believes certificates by it; here it is only named."""
    wanted = secret_ref(spec.trust)

    def authority() -> str:
        if wanted.secret == TRUST_MESH:
            return TRUST_MESH
        frame = parts.secrets.held(entry.namespace, wanted)
        return "" if frame is None else "/".join(frame.key)

    policy = f"Authentication {entry.title}"
    method = CertificateMethod(spec, policy, wanted.secret, lambda: parts.trust_domain, parts.now)
    return certificate_of(authority), method


def _oidc_method(entry: Entry[Authentication], spec: Oidc, parts: Parts) -> OidcMethod:
    title, policy = entry.title, f"Authentication {entry.title}"
    client = OidcClient(spec, entry.namespace, title, parts.keys, parts.secrets, parts.issuers, parts.now, parts.wall)
    jar = Jar(title, spec.session.domain or "", spec.session.same_site)
    return OidcMethod(client, jar, entry.namespace, policy, parts.consumers, parts.now, parts.wall)


def _inline_keys(jwt: Jwt, path: str) -> KeySet:
    try:
        keys = KeySet(read_keys(jwt.jwks))
    except KeyFault as fault:
        raise CompileError(f"{path}{fault.at}", fault.reason) from fault
    if not len(keys):
        raise CompileError(path, "holds no key that can be used")
    return keys
