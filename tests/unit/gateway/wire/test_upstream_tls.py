"""Contexts of TLS to services live as long as the policies that say so."""

from gateway.secret_ring import SecretRing
from gateway.trust import NOBODY
from gateway.upstream.cluster_settings import TlsSettings
from gateway.wire.upstream_tls import UpstreamContexts


def test_a_context_of_a_policy_that_is_gone_is_made_anew_and_the_others_stay() -> None:
    contexts = UpstreamContexts(SecretRing(), lambda: NOBODY, lambda: None)
    one, other = TlsSettings("simple", sni="one.example"), TlsSettings("simple", sni="other.example")
    first, second = contexts.context(one), contexts.context(other)
    contexts.keep({other})
    assert contexts.context(other) is second
    assert contexts.context(one) is not first
