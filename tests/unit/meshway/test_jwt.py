"""Tokens: what is accepted, and that nothing else is."""

import math
import time
from random import Random

import pytest

from meshway.jwt import TokenFault, TokenRules, expiry_of, issuer_of, verify
from meshway.jwt_keys import KeySet, read_keys
from tests.parts.jwt_attacks import Issuer, attacks
from tests.parts.tokens import AUDIENCE, ISSUER, claims, raw_token, token

RULES = TokenRules(ISSUER, frozenset({AUDIENCE}))


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def keys(issuer: Issuer) -> KeySet:
    # Two keys of one type would make a token without kid ambiguous.
    return KeySet(read_keys(issuer.jwks))


def refused(text: str, keys: KeySet, rules: TokenRules = RULES, at: float | None = None) -> str:
    with pytest.raises(TokenFault) as caught:
        verify(text.encode(), rules, keys, time.time() if at is None else at)
    return caught.value.reason


def test_good_tokens_are_taken(issuer: Issuer, keys: KeySet) -> None:
    for text in issuer.good():
        found = verify(text.encode(), RULES, keys, time.time())
        assert found["sub"] == "ada"
        assert expiry_of(found) > time.time()
        assert issuer_of(text.encode()) == ISSUER


def test_no_attack_is_taken_and_no_reason_holds_the_token(issuer: Issuer, keys: KeySet) -> None:
    # What a subject may be is not the verifier's business.
    found = [pair for pair in attacks(issuer) if not pair[0].startswith("subject: ")]
    assert len(found) > 150
    reasons: list[tuple[str, str]] = []
    for name, text in found:
        try:
            verify(text.encode(), RULES, keys, time.time())
        except TokenFault as fault:
            reasons.append((text[:16], fault.reason))
        else:
            pytest.fail(f"accepted: {name}")
    assert not [reason for start, reason in reasons if start and start in reason]


def test_any_other_bytes_are_refused_and_raise_nothing_else(issuer: Issuer, keys: KeySet) -> None:
    seed = Random().randrange(2**32)
    print(f"seed {seed}")
    random, good = Random(seed), token(issuer.ec, kid="ec")
    for _ in range(2_000):
        changed = bytearray(good.encode())
        for _ in range(random.randint(1, 3)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        if bytes(changed) == good.encode():
            continue
        with pytest.raises(TokenFault):
            verify(bytes(changed), RULES, keys, time.time())
        issuer_of(bytes(changed))


def test_the_clock_may_be_off_by_the_skew_and_no_more(issuer: Issuer, keys: KeySet) -> None:
    now = 1_800_000_000.0
    text = token(issuer.ec, claims(iat=now, nbf=now, exp=now + 60), kid="ec")
    for at in (now - 30, now, now + 89):
        assert verify(text.encode(), RULES, keys, at)
    assert refused(text, keys, at=now - 31).startswith("the token does not hold yet")
    assert refused(text, keys, at=now + 90) == "the token has expired"
    exact = TokenRules(ISSUER, frozenset({AUDIENCE}), skew_s=0.0)
    assert refused(text, keys, exact, now + 60) == "the token has expired"


def test_a_token_may_be_too_old_before_it_expires(issuer: Issuer, keys: KeySet) -> None:
    now = 1_800_000_000.0
    rules = TokenRules(ISSUER, frozenset({AUDIENCE}), max_age_s=60.0)
    text = token(issuer.ec, claims(iat=now, exp=now + 3600), kid="ec")
    assert verify(text.encode(), rules, keys, now + 90)
    assert "too old" in refused(text, keys, rules, now + 91)
    assert "too old" in refused(token(issuer.ec, claims(iat=None, exp=now + 3600), kid="ec"), keys, rules, now)
    assert rules.max_age_s < RULES.max_age_s == math.inf


def test_only_an_unknown_key_id_asks_for_younger_keys(issuer: Issuer, keys: KeySet) -> None:
    for kid, unknown in (("new", "new"), ("rsa", None), (None, None)):
        with pytest.raises(TokenFault) as caught:
            verify(
                token(issuer.ec, kid=kid, alg="RS256" if kid is None else "ES256").encode(), RULES, keys, time.time()
            )
        assert caught.value.unknown_key == unknown


def test_without_a_key_id_the_key_must_be_the_only_one_that_fits(issuer: Issuer) -> None:
    two = KeySet(read_keys({"keys": [issuer.ec.jwk("a"), Issuer().ec.jwk("b")]}))
    assert "no key" in refused(token(issuer.ec, kid=None), two)
    assert verify(token(issuer.ec, kid="a").encode(), RULES, two, time.time())


def test_an_issuer_is_read_of_what_may_be_a_token_only(issuer: Issuer) -> None:
    assert issuer_of(raw_token(issuer.ec, b"{}", b'{"iss":7}').encode()) is None
    for text in (b"", b"..", b"a.b", b"a.?.c", b"x" * 9000):
        assert issuer_of(text) is None
