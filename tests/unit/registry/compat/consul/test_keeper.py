"""Instances without a check keep their leases."""

from collections.abc import Sequence

import msgspec

from meshway.problem import Problem
from registry.catalog.catalog import Catalog
from registry.compat.consul.attributes import KEY, Attributes, attributes_text
from registry.compat.consul.keeper import EVERY_S, Keeper
from registry.live.interface import Renewed
from tests.parts.lease_bench import LeaseBench


async def test_only_what_has_no_check_is_renewed_and_a_store_that_is_down_does_not_end_it() -> None:
    bench = LeaseBench()
    plain = {KEY: attributes_text(Attributes())}
    bench.register("books", "kept", metadata=plain, ttl_s=3600)
    bench.register("books", "checked", metadata={KEY: attributes_text(Attributes(check="ttl"))}, ttl_s=3600)
    bench.register("books", "native", ttl_s=3600)
    keeper = Keeper(bench.view, Catalog(bench.view, msgspec.UNSET, bench.leases))  # type: ignore[arg-type]
    renew = bench.live.renew

    def full(lease_ids: Sequence[str]) -> Renewed:
        raise Problem(503, "live_unavailable", "Not taking heartbeats")

    for turn in range(8):
        bench.clock.advance(EVERY_S)
        bench.live.renew = full if turn == 2 else renew  # type: ignore[method-assign]
        await keeper.renew()
    await bench.sweep()
    statuses = {name: bench.status(("default", "books", name)) for name in ("kept", "checked", "native")}
    assert statuses == {"kept": "passing", "checked": "critical", "native": "critical"}
