"""What a gateway makes of a TrustBundle."""

import time

from gateway.trust import MAX_REMEMBERED, NOBODY, Trust
from meshway.identity import Principal
from meshway.model.trust_bundle import TokenKey, TrustBundle
from tests.integration.gateway.test_service_token import CART, KEY, said

MINE = KEY.jwk("k1")
BUNDLE = TrustBundle(
    trust_domain="mesh.internal",
    generation=1,
    token_keys=(TokenKey(kid="k1", x=MINE["x"], y=MINE["y"]),),
    revoked=(f"{9:016x}",),
)


def test_nobody_is_believed_where_there_is_no_authority() -> None:
    assert NOBODY.judge_token(said().encode(), 0.0, time.time()) == (
        "no authority is known here that could have given the token"
    )
    assert (NOBODY.roots, NOBODY.revoked) == ((), frozenset())


def test_a_token_is_remembered_for_a_minute_and_not_beyond_its_end() -> None:
    trust, wall = Trust(BUNDLE), time.time()
    short = said(exp=10).encode()
    found = trust.judge_token(short, 100.0, wall)
    assert isinstance(found, Principal)
    assert (found.name, found.namespace, found.service, found.method) == (CART, "default", "cart", "service_token")
    # The clock of the wall says it is over, the memory still holds: at most as long as the verifier's own skew.
    assert trust.judge_token(short, 139.0, wall + 39) is found
    assert trust.judge_token(short, 141.0, wall + 41) == "the token has expired"


def test_what_is_remembered_is_bounded() -> None:
    trust, wall = Trust(BUNDLE), time.time()
    for at in range(3):
        trust.judge_token(said(jti=str(at)).encode(), 0.0, wall)
    assert len(trust._known) == 3
    trust._known.update({str(at).encode(): (NOBODY_FOUND, 0.0) for at in range(MAX_REMEMBERED)})
    trust.judge_token(said(jti="more").encode(), 0.0, wall)
    assert len(trust._known) == 1


NOBODY_FOUND = Principal("x")


def test_it_tells_whether_somebody_is_believed_no_more() -> None:
    def trust(roots: tuple[str, ...], *revoked: int) -> Trust:
        hashes = tuple(f"{one:016x}" for one in revoked)
        return Trust(TrustBundle(trust_domain="mesh.internal", generation=1, roots=roots, revoked=hashes))

    before = trust(("one",), 7)
    later = (before, trust(("one", "two"), 7), trust(("one",)), trust(("one",), 8), trust(("two",), 7), NOBODY)
    assert [one.believes_less_than(before) for one in later] == [False, False, False, True, True, True]
