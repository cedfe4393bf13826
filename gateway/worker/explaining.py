"""A worker's word on a call, from the tables it runs: to a question, and in the answer of a call that asks for it.

`Meshway-Explain: 1` is heard on the mesh listener from callers of this machine, who could read the admin port as well;
from others it is taken out, as every field by which a caller could pass for the gateway.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec

from gateway.compiler.state import State
from gateway.exchange import Exchange
from gateway.explain.explaining import explain, explain_question
from gateway.limits.desk import Desk
from gateway.relay.explained import Tell
from meshway.addresses import is_loopback
from meshway.explanation import CallQuestion, Explanation, Went

MOST_SHOWN: Final = 10  # of rules tried, and of a destination's endpoints, in a field
LATEST_S: Final = 0.5  # that an answer waits for those who assign
MOST_BYTES: Final = 16 << 10  # of a field: callers have limits, too

_log = logging.getLogger("meshway.gateway.worker")


def told_of(state: State, asked: Any, node: str) -> Any:
    """asked: a CallQuestion as plain values. Plain values; `error` where there is nothing to tell."""
    try:
        question = msgspec.convert(asked, CallQuestion)
        return msgspec.to_builtins(explain_question(state, question, time.monotonic(), node))
    except ValueError as error:  # msgspec's among them
        return {"error": str(error)}
    except Exception:
        _log.exception("explaining a call failed")
        return {"error": "internal error of the gateway, see its log"}


def tell_when_known(
    loop: asyncio.AbstractEventLoop,
    desks: Iterable[Desk],
    told: Callable[[], Any],
    send: Callable[[Any], None],
) -> None:
    """What is told first has the desks ask how the limits stand that are shared with others. It is told again when they
    have an answer, after LATEST_S at the latest."""
    first = told()
    waits_for = {desk for desk in desks if desk.is_asking}
    if not waits_for:
        send(first)
        return

    def end() -> None:
        if not timer.cancelled():
            timer.cancel()
            send(told())

    def heard(desk: Desk) -> None:
        waits_for.discard(desk)
        if not waits_for:
            end()

    timer = loop.call_later(LATEST_S, end)
    for desk in tuple(waits_for):
        desk.when_answered(partial(heard, desk))


def explaining(state_of: Callable[[], State], node: str) -> Callable[[Exchange], Tell | None]:
    """For calls that ask: told before anything of them is spent, and at the end where they went. None: may not ask."""

    def begin(exchange: Exchange) -> Tell | None:
        if not is_loopback(exchange.peer):
            return None
        scratch = Exchange(
            exchange.head,
            exchange.listener,
            exchange.peer,
            exchange.started,
            exchange.scheme,
            listener_name=exchange.listener_name,
        )
        try:
            told = explain(state_of(), scratch, exchange.started, node, caller=exchange.peer)
        except Exception:  # the call itself goes on
            _log.exception("explaining a call failed")
            return None
        return lambda answered: _field(told, answered)

    return begin


def _field(told: Explanation, exchange: Exchange) -> bytes:
    endpoint = exchange.endpoint
    went = Went(instance=endpoint.id if endpoint is not None else "", attempts=exchange.attempts)
    field = _written(_brief(told, MOST_SHOWN), went)
    return field if len(field) <= MOST_BYTES else _written(_brief(told, 0), went)


def _brief(told: Explanation, most: int) -> Explanation:
    tried = told.tried[-most:] if most else []
    return msgspec.structs.replace(
        told,
        tried=tried,
        tried_left_out=told.tried_left_out + len(told.tried) - len(tried),
        destinations=[
            msgspec.structs.replace(
                each,
                endpoints=each.endpoints[:most],
                endpoints_left_out=each.endpoints_left_out + len(each.endpoints[most:]),
            )
            for each in told.destinations
        ],
    )


def _written(told: Explanation, went: Went) -> bytes:
    plain = msgspec.to_builtins(msgspec.structs.replace(told, went=went))
    return b"Meshway-Explanation: %b\r\n" % json.dumps(plain, separators=(",", ":")).encode("ascii")
