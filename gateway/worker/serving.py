"""From compiled listeners and held pairs to what sockets show: contexts by host name, and what each listener says."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.compiler.listeners import NOTHING_WRITTEN, ListenerPlan, Served
from gateway.exchange import EDGE as EDGE_FACE
from gateway.exchange import MESH as MESH_FACE
from gateway.key_pairs import DocumentName, KeyPairs
from gateway.relay.forwarding import Networks
from gateway.secret_ring import NEVER, SecretRing, authorities
from gateway.trust import NOBODY, Trust
from gateway.wire.listener_context import ListenerContext
from gateway.wire.server_names import ServerNames, by_host
from gateway.wire.tls import ServingContext, serving_context
from meshway.certificates import CertificateFault, Pair
from meshway.handshakes import AT_ONCE
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import EDGE, MESH, TRUST_MESH
from meshway.tls import load_pair

_log = logging.getLogger("meshway.gateway.tls")

STALE_S: Final = 3_600.0
Named = tuple[DocumentName, Pair]
_IDENTITY: Final = ("mesh", "the gateway's identity")  # no document has such a name


class Asks(NamedTuple):
    """What handshakes hold to; as `serving_context` takes it. resumes: whether sessions go on. alpn: what is
    spoken."""

    min_version: str
    client_auth: str
    authorities: bytes | None
    authority: str
    resumes: bool
    alpn: tuple[str, ...]

    def context(self) -> ServingContext:
        """Without a certificate yet."""
        return serving_context(
            self.min_version,
            self.client_auth,
            self.authorities,
            self.authority,
            resumes=self.resumes,
            alpn=self.alpn,
        )


class Serving:
    """listeners: of the worker. trusted_proxies: of the edge, where no document says which. secrets: what is known.
    wall: seconds since 1970. now: monotonic seconds."""

    def __init__(
        self,
        listeners: Sequence[ListenerContext],
        trusted_proxies: Networks,
        secrets: SecretRing,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secrets, self._wall, self._now = secrets, wall, now
        self._heard_at = now()
        self._until = NEVER  # the first end of authorities that are believed
        self.pairs = KeyPairs(self._show)
        self._listeners = list(listeners)
        self._plans = {listener: NOTHING_WRITTEN.listeners[listener.name] for listener in listeners}
        self._trusted_proxies = trusted_proxies
        self._served: Served = NOTHING_WRITTEN
        self._trust = NOBODY
        self.identity: Pair | None = None
        self._shown: dict[ListenerContext, object] = {}  # of what its contexts were made
        self._contexts: dict[object, ServingContext] = {}

    def take(self, served: Served, trust: Trust) -> None:
        """Tables with these are in force."""
        if served is self._served and trust is self._trust:
            return
        is_less = trust.believes_less_than(self._trust)
        self._served, self._trust = served, trust
        for listener in self._listeners:
            self._hold(listener)
            if is_less and listener.tls is not None:
                listener.end_void()
        self._doubt()
        self._show()

    def add(self, listener: ListenerContext) -> None:
        """One more; the tables in force say what holds there."""
        self._listeners.append(listener)
        for each in self._listeners:
            if each.name == listener.name:  # what speaks HTTP/3 stands beside another
                self._hold(each)
        self._show()

    def remove(self, listener: ListenerContext) -> None:
        """It serves nobody any more."""
        self._listeners.remove(listener)
        self._plans.pop(listener, None)
        self._shown.pop(listener, None)

    def _hold(self, listener: ListenerContext) -> None:
        """One whose document is gone, or of another kind by now, drains by what it said last."""
        trust, plan = self._trust, self._served.listeners.get(listener.name)
        if listener.tls is not None:
            listener.tls.revoked, listener.tls.trust_domain = trust.revoked, trust.trust_domain
        if plan is None or not plan.has(MESH if listener.face == MESH_FACE else EDGE, listener.spoken):
            return
        self._plans[listener] = plan
        listener.hosts, listener.hsts, listener.sends_to_https = plan.hosts, plan.hsts, plan.sends_to_https
        listener.limits = plan.limits(listener.usual_limits)
        listener.streams, listener.http3 = plan.streams, plan.http3
        stands = any(each.name == listener.name and each.spoken == "http3" for each in self._listeners)
        listener.alt_svc = plan.alt_svc if stands and listener.spoken != "http3" else b""
        listener.proxy_protocol = plan.proxy_protocol
        listener.read_underscores(plan.underscores)
        usual = self._trusted_proxies if listener.face == EDGE_FACE else ()
        listener.trusted_proxies = usual if plan.trusted_proxies is None else plan.trusted_proxies
        if listener.tls is not None:
            listener.tls.at_once = AT_ONCE if plan.handshakes is None else plan.handshakes
            if plan.trust.secret != TRUST_MESH:
                self._secrets.watch(plan.trust.secret, self)

    def take_identity(self, pair: Pair) -> None:
        """The gateway's own of the mesh: services that call it are shown that, where no document says otherwise."""
        self.identity = pair
        self._show()

    def forget(self) -> None:
        """A Secret is another."""
        self._show()

    def heard(self, ago_s: float) -> None:
        """The registry was, so long ago."""
        self._heard_at = self._now() - ago_s
        self._doubt()

    def _doubt(self) -> None:
        is_stale = self._served.ends_stale and self._now() - self._heard_at > STALE_S
        if is_stale != self._trust.is_stale and self._trust is not NOBODY:
            self._trust.is_stale = is_stale
            if is_stale:
                _log.error("revocations were not heard of for %.0f s: nobody of the mesh is believed", STALE_S)
        for listener in self._listeners:
            if listener.tls is not None:
                listener.tls.is_stale = is_stale

    def beat(self) -> None:
        """Now and then: whoever was believed for a time is not any more."""
        self._doubt()
        if self._wall() >= self._until:
            self._show()

    def _authorities(self, plan: ListenerPlan) -> tuple[str, bytes | None]:
        """Their name and their certificates, PEM; None: nobody is asked for one, since nobody could say that it holds.
        Of a Secret all versions that are accepted."""
        if plan.client_auth == "none":
            return "", None
        if plan.trust.secret == TRUST_MESH:
            return TRUST_MESH, "".join(self._trust.roots).encode() or None
        frame = self._secrets.held(MESH_NAMESPACE, plan.trust)
        believed = authorities(frame, self._wall())
        if frame is None or believed is None:
            return "", None
        self._until = min(self._until, believed.until)
        return "/".join(frame.key), believed.contents

    def _show(self) -> None:
        """For new connections of all listeners with TLS; what did not change is not made anew."""
        used: dict[object, ServingContext] = {}
        self._until = NEVER
        for listener in self._listeners:
            if listener.tls is not None and listener in self._plans:
                self._show_on(listener, self._plans[listener], used)
        self._contexts = used

    def _show_on(self, listener: ListenerContext, plan: ListenerPlan, used: dict[object, ServingContext]) -> None:
        assert listener.tls is not None
        default, (authority, believed) = plan.default, self._authorities(plan)
        how = (plan.resumes, plan.alpn)
        if believed is None:
            asks = Asks(plan.min_version, "none", None, "", *how)
        else:
            asks = Asks(plan.min_version, plan.client_auth, believed, authority, *how)
        if asks.client_auth == "none" and plan.client_auth == "require":
            # Nobody can be believed: nobody comes in, until the authorities are known.
            listener.tls.install(serving_context("1.2", "none", None), ServerNames({}, {}, None))
            self._shown.pop(listener, None)
            return
        exact, wildcard = by_host(self._certified(listener.name, plan))
        made = {host: self._context(asks, _one_a_kind(found), used) for host, found in exact.items()}
        made_wide = {host: self._context(asks, _one_a_kind(found), used) for host, found in wildcard.items()}
        fallback = None
        if default is not None and default in self.pairs.held:
            fallback = self._context(asks, [(default, self.pairs.held[default])], used)
        elif plan.face == MESH and self.identity is not None:
            fallback = self._context(asks, [(_IDENTITY, self.identity)], used)
        shown = (asks, made, made_wide, fallback)
        if self._shown.get(listener) == shown:
            return
        self._shown[listener] = shown
        names = ServerNames(_present(made), _present(made_wide), fallback)
        listener.tls.install(asks.context(), names)

    def _certified(self, listener: str, plan: ListenerPlan) -> Iterable[tuple[Named, Sequence[str]]]:
        for entry in self._served.certificates:
            name = (entry.namespace, entry.name)
            pair = self.pairs.held.get(name)
            if plan.certificates:
                is_shown = entry.namespace == MESH_NAMESPACE and entry.name in plan.certificates
            else:
                is_shown = listener in entry.spec.listeners
            if pair is not None and is_shown:
                hosts, owned = entry.spec.hosts or pair.hosts, self._served.owned
                # Of a pair in files nobody but us can tell the names.
                yield (name, pair), [host for host in hosts if owned.may_certify(host, entry.namespace)]

    def _context(self, asks: Asks, named: Sequence[Named], used: dict[object, ServingContext]) -> ServingContext | None:
        """The one there was, while nothing of it changed. None: OpenSSL takes none of the pairs."""
        key = (asks, tuple((name, pair.fingerprint) for name, pair in named))
        context = used.get(key) or self._contexts.get(key)
        if context is None:
            context = asks.context()
            loaded = [(name, pair) for name, pair in named if _is_loaded(context, name, pair)]
            if not loaded:
                return None
            context.certificates = frozenset(name for name, _ in loaded)
            context.pairs = tuple(pair for _, pair in loaded)
        used[key] = context
        return context


def _one_a_kind(found: Sequence[Named]) -> list[Named]:
    """Of two that are good for a host with the same kind of key the first one, by namespace and name."""
    kinds: dict[str, Named] = {}
    for named in found:
        kinds.setdefault(named[1].algorithm, named)
    return list(kinds.values())


def _is_loaded(context: ServingContext, name: DocumentName, pair: Pair) -> bool:
    try:
        load_pair(context, pair)
    except CertificateFault as fault:
        _log.error("Certificate %s/%s: %s", *name, fault)
        return False
    return True


def _present(made: Mapping[str, ServingContext | None]) -> dict[str, ServingContext]:
    return {host: context for host, context in made.items() if context is not None}
