"""Which Authentication a rule's calls must satisfy. What is known of tokens lives as long as the document."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.authentication.places import are_in_head, compile_places, compile_removal
from gateway.authentication.token_method import FetchedKeys, InlineKeys, Keys, TokenMethod
from gateway.compiler.diff import CompileError, DocumentKey, Entry
from gateway.compiler.policies import MESH, Attached, Place, service_places
from gateway.filters.authenticate import Believed, Checks, compile_filter, compile_forecast
from gateway.plan import FilterStep, Parts
from meshway.jwt_keys import KeyFault, KeySet, read_keys
from meshway.model.authentication import Authentication, Jwt

STEP: Final = "authentication"


class Authentications:
    """All of them by the place they speak for, each compiled once for all rules."""

    def __init__(
        self, entries: Iterable[Entry[Authentication]], before: "Authentications | None", parts: Parts
    ) -> None:
        """before: those of the last tables."""
        entries = list(entries)
        known: Mapping[DocumentKey, tuple[Authentication, FilterStep]] = before._made if before is not None else {}
        self._attached = Attached(entries)
        self._made: dict[DocumentKey, tuple[Authentication, FilterStep]] = {}
        for entry in entries:
            made = known.get(entry.key)
            self._made[entry.key] = (
                made
                if made is not None and made[0] == entry.spec
                else (
                    entry.spec,
                    compile_step(entry, parts),
                )
            )

    def steps(self, route: tuple[Place, ...], services: Sequence[tuple[str, str, str]]) -> tuple[FilterStep, ...]:
        """route: its places, from the wider one. services: namespace, service, subset of each destination.

        The narrowest place with a document decides; of a split, whatever any destination's asks: the call may go there.
        """
        own: tuple[Place, ...] = (MESH, ("namespace", route[0][1]))
        found: dict[DocumentKey, None] = {}
        for of_service in [service_places(*service)[1:] for service in services] or [()]:
            entry = self._narrowest((*own, *of_service, *route))
            if entry is not None:
                found[entry.key] = None
        return tuple(self._made[key][1] for key in found)

    def _narrowest(self, places: Sequence[Place]) -> Entry[Authentication] | None:
        return next((entry for place in reversed(places) for entry in self._attached.at((place,))), None)


def compile_step(entry: Entry[Authentication], parts: Parts) -> FilterStep:
    """Raises CompileError."""
    spec, policy = entry.spec, f"Authentication {entry.title}"
    is_only = len(spec.methods) == 1
    places = [place for method in spec.methods for place in method.jwt.from_]
    methods = []
    for at, method in enumerate(spec.methods):
        jwt = method.jwt
        keys: Keys
        if jwt.jwks_uri is not None:
            keys = FetchedKeys(parts.keys, jwt.jwks_uri, float(jwt.jwks_max_stale))
        else:
            keys = InlineKeys(_inline_keys(jwt, f"spec.methods[{at}].jwt.jwks"))
        judging = TokenMethod(jwt, policy, keys, parts.now, parts.wall, is_only=is_only)
        methods.append((compile_places(jwt.from_), judging))
    believed = Believed(judging for _, judging in methods)
    for method in spec.methods:
        if method.jwt.jwks_uri is not None:
            parts.keys.watch(method.jwt.jwks_uri, believed)
    checks = Checks(
        policy=policy,
        methods=methods,
        is_optional=spec.require == "optional",
        take_out=None if spec.forward_credentials else compile_removal(places),
        owned=frozenset(
            header.lower().encode() for method in spec.methods for header in method.jwt.claims_to_headers.values()
        ),
        is_of_head=are_in_head(places),
    )
    run = compile_filter(checks, believed)
    return FilterStep(STEP, "", run, compile_forecast(checks, run))


def _inline_keys(jwt: Jwt, path: str) -> KeySet:
    try:
        keys = KeySet(read_keys(jwt.jwks))
    except KeyFault as fault:
        raise CompileError(f"{path}{fault.at}", fault.reason) from fault
    if not len(keys):
        raise CompileError(path, "holds no key that can be used")
    return keys
