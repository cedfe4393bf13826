"""A worker's answer to a question about a call: from the tables it runs, with limits and breakers as they stand."""

import logging
import time
from typing import Any

import msgspec

from gateway.compiler.state import State
from gateway.explain.explaining import explain_question
from meshway.explanation import CallQuestion

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
