"""Tokens that were verified once."""

from typing import Any

import pytest

from gateway.authentication import token_method
from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.authentication.token_method import InlineKeys, SecretKeys, TokenMethod, read_set
from gateway.consumer_ring import ConsumerRing
from gateway.secret_ring import ReadSecret, SecretRing
from meshway.jwt import verify
from meshway.jwt_keys import KeySet, read_keys
from meshway.model.authentication import Jwt
from meshway.model.match import StringMatch
from meshway.model.secret import SecretRef
from meshway.snapshot import SecretContents, SecretFrame
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, claims, token

KEY = SigningKey("EC")
KEYS = KeySet(read_keys({"keys": [KEY.jwk()]}))


class Clock:
    """Both clocks of a worker, moved together."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> float:
        return 1000.0 + self.passed_s

    def wall(self) -> float:
        return 1_800_000_000.0 + self.passed_s


def made(clock: Clock, *, is_only: bool = True, **fields: Any) -> TokenMethod:
    spec = Jwt(issuer=ISSUER, audiences=(AUDIENCE,), jwks={}, **fields)
    keys, consumers = InlineKeys(KEYS), ConsumerRing()
    return TokenMethod(spec, "a", "Authentication a/b", keys, consumers, clock.now, clock.wall, is_only=is_only)


def text(clock: Clock, lives_s: float = 3600.0, **changes: Any) -> bytes:
    body = claims(iat=clock.wall(), exp=clock.wall() + lives_s, **changes)
    return token(KEY, body).encode()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was verified, and not only looked up."""
    seen: list[bytes] = []

    def counted(credential: bytes, *rest: Any) -> Any:
        seen.append(credential)
        return verify(credential, *rest)

    monkeypatch.setattr(token_method, "verify", counted)
    return seen


def test_a_token_is_verified_once_a_minute_and_never_after_its_end(verified: list[bytes]) -> None:
    clock = Clock()
    method, long, short = made(clock), text(clock), text(clock, lives_s=5.0)
    for passed_s, count in ((0.0, 2), (34.0, 2), (REMEMBERED_S - 0.1, 3), (REMEMBERED_S, 5)):
        clock.passed_s = passed_s
        answers = [type(method.judge(each)) for each in (long, short)]
        assert answers == [Proof, Proof if passed_s < 35.0 else Fault]
        assert len(verified) == count, passed_s


def test_what_is_refused_is_not_remembered(verified: list[bytes]) -> None:
    method = made(Clock())
    for _ in range(3):
        assert isinstance(method.judge(b"a.b.c"), Fault)
    assert len(verified) == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, verified: list[bytes]) -> None:
    clock = Clock()
    first, second = text(clock, jti="1"), text(clock, jti="2")
    monkeypatch.setattr(token_method, "MAX_REMEMBERED", len(first) + len(second) - 1)
    method = made(clock)
    for each in (first, first, second, second, first):
        assert isinstance(method.judge(each), Proof)
    assert verified == [first, second, first]


def test_a_principal_is_the_issuers_and_of_no_namespace() -> None:
    clock = Clock()
    proof = made(clock).judge(text(clock))
    assert isinstance(proof, Proof)
    principal = proof.principal
    assert (principal.name, principal.namespace, principal.service) == (f"{ISSUER}#ada", "", "")
    assert (principal.method, principal.policy) == ("jwt", "Authentication a/b")
    assert principal.claims["aud"] == AUDIENCE


@pytest.mark.parametrize("subject", ["", 7, None, "a\nb", " a", "a\u202eb", "a" * 257, ["a"]])
def test_who_cannot_be_named_is_nobody(subject: Any) -> None:
    clock = Clock()
    verdict = made(clock).judge(text(clock, sub=subject))
    assert isinstance(verdict, Fault)
    assert verdict.reason == "the token's sub names nobody"


def test_another_issuers_token_is_left_to_another_method() -> None:
    clock = Clock()
    for is_only, is_unknown in ((True, False), (False, True)):
        verdict = made(clock, is_only=is_only).judge(text(clock, iss="https://other.example"))
        assert isinstance(verdict, Fault)
        assert verdict.is_unknown == is_unknown


def test_an_inverted_match_of_a_list_must_hold_for_all_of_it() -> None:
    clock = Clock()
    method = made(clock, required_claims={"roles": StringMatch(exact="banned", invert=True)})
    for roles, kind in ((["a", "b"], Proof), (["a", "banned"], Fault), ("banned", Fault), (None, Proof)):
        assert type(method.judge(text(clock, roles=roles))) is kind


def test_a_token_by_a_version_of_a_secret_that_is_over_is_not_believed_for_the_rest_of_a_minute() -> None:
    clock = Clock()
    ring, other = SecretRing(), SigningKey("EC")
    newer = SecretContents(None, {"keys": [other.jwk("k2")]})
    older = SecretContents(clock.wall() + 20.0, {"keys": [KEY.jwk()]})
    ring.take(SecretFrame(namespace="a", name="keys", type="jwks", share_with=[], versions=[newer, older]))
    spec = Jwt(issuer=ISSUER, audiences=(AUDIENCE,), jwks={"secret": "keys"})
    keys = SecretKeys(ReadSecret(ring, "a", SecretRef(secret="keys"), ("jwks",), read_set))
    method = TokenMethod(spec, "a", "Authentication a/b", keys, ConsumerRing(), clock.now, clock.wall, is_only=True)
    shown = text(clock)
    fresh = token(other, claims(iat=clock.wall(), exp=clock.wall() + 3600.0), kid="k2").encode()
    for passed_s, kind in ((0.0, Proof), (19.0, Proof), (20.0, Fault)):
        clock.passed_s = passed_s
        assert isinstance(method.judge(shown), kind), passed_s
        assert isinstance(method.judge(fresh), Proof)
    assert method.judge(fresh).until == clock.now() + REMEMBERED_S  # type: ignore[union-attr]
