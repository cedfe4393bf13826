"""What identity asks of a store, on each of them: steps done together or not at all, and tokens spent once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

from registry.store.authorities import (
    AuthorityRecord,
    TrustRecord,
    add_authority,
    authority_of,
    begin_trust,
    forget_authorities,
    move_trust,
    read_authorities,
    read_trust,
    set_state,
    take_key,
    trust_of,
)
from registry.store.certificates import (
    CertificateRecord,
    add_certificate,
    certificate_of,
    certificates_issued_by,
    forget_certificates,
    read_certificate,
    read_certificates,
    replace_certificate,
    revoke_certificate,
    revoke_subject,
    revoked_serials,
    subjects_under,
)
from registry.store.enrolments import (
    EnrolmentRecord,
    add_enrolment,
    enrolment_of,
    forget_enrolments,
    read_enrolment,
    spend_enrolment,
)
from registry.store.interface import Store
from registry.store.steps import NoRow
from tests.parts.postgres import Postgres
from tests.parts.store_records import batch, opener

Open = Callable[[], AbstractAsyncContextManager[Store]]
TOKEN = EnrolmentRecord("e1", b"h" * 32, "spiffe://m/ns/shop/svc/books", "", 600.0, "me")
ROOT = AuthorityRecord("a1", "root", "", "current", b"cert", b"sealed", 1e9, 1.0)


def leaf(serial: str, subject: str = "spiffe://m/ns/shop/svc/books", not_after: float = 100.0) -> CertificateRecord:
    return CertificateRecord(
        serial=serial,
        subject=subject,
        authority="a1",
        not_before=0.0,
        not_after=not_after,
        issued_by="enrolment e1",
        request=b"r",
        value=b"der",
    )


@pytest.fixture(params=["sqlite", "postgres"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    def new_database() -> str:
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()

    return opener(request.param, tmp_path, new_database)


async def test_of_many_who_spend_a_token_at_once_one_gets_a_certificate(again: Open) -> None:
    async with again() as store, again() if "Postgres" in type(store).__name__ else _same(store) as other:
        await store.do([add_enrolment(TOKEN)])

        async def spend(at: int) -> bool:
            steps = [spend_enrolment("e1", b"h" * 32, 10.0), add_certificate(leaf(f"s{at}"))]
            try:
                await (store if at % 2 else other).do(steps)
            except NoRow:
                return False
            return True

        won = await asyncio.gather(*(spend(at) for at in range(40)))
        (issued,) = await store.do([certificates_issued_by("enrolment e1")])
    assert won.count(True) == 1
    assert [row[0] for row in issued] == [f"s{won.index(True)}"]


async def test_a_token_is_good_for_its_hash_and_its_time_alone(again: Open) -> None:
    async with again() as store:
        await store.do([add_enrolment(TOKEN)])
        for digest, now in ((b"x" * 32, 10.0), (b"h" * 32, 600.0)):
            with pytest.raises(NoRow):
                await store.do([spend_enrolment("e1", digest, now)])
        assert enrolment_of((await store.do([read_enrolment("e1")]))[0][0]) == TOKEN
        await store.do([forget_enrolments(601.0)])
        assert await store.do([read_enrolment("e1")]) == [[]]


async def test_steps_before_one_that_finds_no_row_are_taken_back(again: Open) -> None:
    async with again() as store:
        with pytest.raises(NoRow) as refused:
            await store.do([add_certificate(leaf("s1")), spend_enrolment("nobody", b"", 0.0)])
        assert refused.value.at == 1
        assert await store.do([read_certificate("s1")]) == [[]]


async def test_a_certificate_is_replaced_revoked_and_forgotten(again: Open) -> None:
    async with again() as store:
        await store.do([add_certificate(leaf("s1")), add_certificate(leaf("s2", not_after=50.0))])
        await store.do([add_certificate(leaf("s3", "spiffe://m/ns/shop/svc/cart"))])
        subjects = (await store.do([subjects_under("a1", 10.0, 10)]))[0]
        assert subjects == [("spiffe://m/ns/shop/svc/books", 100.0), ("spiffe://m/ns/shop/svc/cart", 100.0)]
        await store.do([replace_certificate("s3", 10.0)])
        assert (await store.do([subjects_under("a1", 10.0, 10)]))[0] == subjects[:1]
        assert (await store.do([revoke_certificate("s3", 11.0, by="me", reason="lost")])) == [[("s3",)]]
        with pytest.raises(NoRow):
            await store.do([replace_certificate("s3", 12.0)])
        revoked = (await store.do([revoke_subject("spiffe://m/ns/shop/svc/books", 11.0, by="me", reason="")]))[0]
        assert sorted(revoked) == [("s1",), ("s2",)]
        assert (await store.do([revoked_serials(60.0)]))[0] == [("s1",), ("s3",)]
        record = certificate_of((await store.do([read_certificate("s3")]))[0][0])
        assert (record.replaced_at, record.revoked_at, record.revoked_by, record.reason) == (10.0, 11.0, "me", "lost")
        page = (await store.do([read_certificates(20.0, subject="", after=("", ""), count=2)]))[0]
        assert [row[0] for row in page] == ["s1", "s2"]
        rest = read_certificates(20.0, subject="", after=(page[-1][1], page[-1][0]), count=2)
        assert [row[0] for row in (await store.do([rest]))[0]] == ["s3"]
        await store.do([forget_certificates(90.0)])
        assert await store.do([read_certificate("s2")]) == [[]]


async def test_trust_begins_once_and_moves_from_where_it_was_seen(again: Open) -> None:
    async with again() as store:
        await store.do([begin_trust("mesh.internal", "settled"), add_authority(ROOT)])
        with pytest.raises(NoRow):
            await store.do([begin_trust("other", "settled"), add_authority(ROOT)])
        await store.do([move_trust(1, "both_trusted")])
        with pytest.raises(NoRow):
            await store.do([move_trust(1, "new_issues"), set_state("a1", "old")])
    async with again() as store:
        trust, authorities = await store.do([read_trust(), read_authorities()])
        assert trust_of(trust[0]).generation == 2
        assert [authority_of(row) for row in authorities] == [ROOT]
        await store.do([take_key("a1"), set_state("a1", "old")])
        with pytest.raises(NoRow):
            await store.do([take_key("a1")])
        await store.do([forget_authorities(2e9)])
        assert await store.do([read_authorities()]) == [[]]


async def test_what_is_restored_takes_the_place_of_what_was_trusted(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.do([begin_trust("mesh.internal", "settled"), add_authority(ROOT), add_certificate(leaf("s1"))])
        other = msgspec.structs.replace(ROOT, id="a2")
        rows = {"trust": [TrustRecord(1, "other.example", "settled", 9)], "authorities": [other]}
        await store.restore([batch(epoch, 0, 7, **rows), batch(epoch, 0, 7, certificates=[leaf("s2"), leaf("s3")])])
        trust, authorities = await store.do([read_trust(), read_authorities()])
        page = (await store.do([read_certificates(0.0, subject="", after=("", ""), count=9)]))[0]
    assert [trust_of(row) for row in trust] == rows["trust"]
    assert [authority_of(row) for row in authorities] == [other]
    assert [certificate_of(row) for row in page] == [leaf("s2"), leaf("s3")]


class _same(AbstractAsyncContextManager[Store]):  # noqa: N801  # reads as a word where it is used
    """One registry alone may open a folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __aenter__(self) -> Store:
        return self._store

    async def __aexit__(self, *_: object) -> None: ...
