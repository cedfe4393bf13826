"""A registry whose Redis is not the one of the others: what it answers nobody else hears of."""

from __future__ import annotations

from tests.parts.conditions import until
from tests.parts.live import TTL_S, Agreed, RecordingVeto, left_s, redis_live, renew
from tests.parts.valkey import Valkey


async def test_renewals_are_kept_while_others_share_elsewhere_and_handed_over_afterwards(valkey: Valkey) -> None:
    agreement, veto = Agreed(), RecordingVeto()
    async with redis_live(valkey.url, veto, numbers=[1], agreement=agreement) as live:
        (place,) = agreement.asked
        agreement.refusal = "elsewhere"
        await until(lambda: live.missing() == "elsewhere" and veto.is_held, 5)
        await renew(live, 1)
        assert (live.kept, veto.is_held) == (1, True)
        assert not await live.catch_up()
        agreement.refusal = None
        await until(lambda: live.missing() is None and not veto.is_held, 5)
        assert (live.kept, agreement.asked) == (0, [place])


async def test_a_lease_has_its_whole_time_from_when_all_have_agreed(valkey: Valkey) -> None:
    """An emptied Redis has begun anew before: until the others look there, too, nobody could be heard."""
    agreement = Agreed()
    async with redis_live(valkey.url, numbers=[1], agreement=agreement) as live:
        agreement.refusal = "elsewhere"
        valkey.flush()
        await until(lambda: len(agreement.asked) == 2, 5)
        began_s = live.now()
        await until(lambda: live.now() - began_s > TTL_S, 5)
        assert live.missing() == "elsewhere"
        agreement.refusal = None
        await until(lambda: live.missing() is None, 5)
        assert left_s(live, 1) > 0.5 * TTL_S


async def test_a_redis_bears_one_name_until_it_is_emptied(valkey: Valkey) -> None:
    agreements = [Agreed(), Agreed()]
    async with (
        redis_live(valkey.url, agreement=agreements[0]),
        redis_live(valkey.url, agreement=agreements[1]),
        redis_live(f"{valkey.url[:-1]}1", agreement=(elsewhere := Agreed())),
    ):
        names = [agreement.asked for agreement in agreements]
        assert names[0] == names[1]
        assert elsewhere.asked != names[0]
        valkey.flush()
        await until(lambda: all(len(agreement.asked) == 2 for agreement in agreements), 5)
        assert names[0] == names[1]
        assert len(set(names[0])) == 2
