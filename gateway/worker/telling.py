"""What documents say of telling calls, handed to those who do: lines, traces."""

from gateway.compiler.telling import TellingPlans
from gateway.exchange import Exchange
from gateway.relay.relay import Relay
from gateway.relay.trace import sample_anew
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.call_plan import USUAL, CallPlan
from gateway.telemetry.counters import Counters
from gateway.telemetry.finish import Finisher
from meshway.model.mesh_settings import MeshTelemetry


def follow(plans: TellingPlans | None, finisher: Finisher, log: AccessLog, relay: Relay, counters: Counters) -> None:
    """plans: None: no document says anything."""
    counters.hold((MeshTelemetry() if plans is None else plans.mesh).max_series)
    finisher.follow(_usual if plans is None else plans.of)
    log.keep_only(() if plans is None else plans.sinks)
    relay.sample = None
    if plans is not None and plans.has_traces:

        def sample(exchange: Exchange) -> None:
            trace = plans.of(exchange).trace
            sample_anew(exchange, trace.head, trace.trusts)

        relay.sample = sample


def _usual(_: Exchange) -> CallPlan:
    return USUAL
