"""Clusters of a revision beside those of the one before, which here is the first one that a compiler commits."""

from gateway.compiler.cluster_key import ClusterKey
from gateway.compiler.cluster_set import ClusterSet
from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from meshway.snapshot import Change
from tests.parts.changes import document, running
from tests.parts.clock import ManualClock

BOOKS, CART, FILMS = (ClusterKey("default", name) for name in ("books", "cart", "films"))


def failing_over(service: str, to: str) -> Change:
    return document("TrafficPolicy", service, {"targets": [{"service": service}], "failover": [{"service": to}]})


def after(*changes: Change) -> ClusterSet:
    parts = Parts(now=ManualClock(), random=lambda: 0.0)
    compiler = Compiler(parts)
    assert compiler.snapshot(1, changes) == []
    return ClusterSet(compiler.state, parts)


def test_whom_a_cluster_needs_beside_it_comes_too_and_whom_that_one_needs() -> None:
    found = after(failing_over("books", "cart"), failing_over("cart", "films"))
    assert found.others(BOOKS) == (CART,)
    clusters = found.gather([BOOKS.owner], [], [])
    assert [key for group in clusters.values() for key in group] == [BOOKS, CART, FILMS]
    assert list(found.made) == [BOOKS, CART, FILMS]
    for step in found.steps(clusters, are_settings_new=False):
        step()
    books, cart = clusters[BOOKS.owner][BOOKS], clusters[CART.owner][CART]
    assert (books.failover, cart.followers) == ((cart,), (books,))


def test_a_cluster_that_runs_is_taken_over_and_one_that_nobody_asks_for_is_emptied() -> None:
    found = after(running("books", "1"), running("cart", "1"))
    clusters = found.gather([BOOKS.owner], [], [])
    books, cart = found.cluster(BOOKS), found.cluster(CART)
    assert (clusters, found.made) == ({BOOKS.owner: {BOOKS: books}}, {})
    for step in found.steps(clusters, are_settings_new=False):
        step()
    assert (len(books.endpoints), len(cart.endpoints)) == (1, 0)
