"""An explanation of a question, or of a call that was made."""

from gateway.compiler.state import State
from gateway.exchange import Exchange
from gateway.explain.asking import read_question
from gateway.explain.connections import explain_connection
from gateway.explain.telling import Telling
from meshway.explanation import Answered, CallQuestion, Explanation
from meshway.http1.head import HeadError


def explain_question(
    state: State, question: CallQuestion, now: float, node: str, *, draft: bool = False
) -> Explanation:
    """node: who says so. Raises ValueError for what is no question."""
    connection = explain_connection(state, question, now, node, draft=draft)
    if connection is not None:
        return connection
    try:
        asked = read_question(question, state, now)
    except HeadError as error:
        answered = Answered(document="listener", status=error.status, reason=error.code, detail=error.detail)
        return Explanation(
            gateway=node,
            revision=state.tables.revision,
            draft=draft,
            listener=question.listener or "",
            method=question.method,
            host="",
            path="",
            caller="",
            answered=answered,
        )
    return Telling(state, asked.exchange, now, asked.plan).told(node, caller=asked.caller, draft=draft)


def explain(
    state: State, exchange: Exchange, now: float, node: str, *, caller: str, draft: bool = False
) -> Explanation:
    """exchange: as the wire made it; it is used up."""
    plan = state.served.listeners.get(exchange.listener_name)
    return Telling(state, exchange, now, plan).told(node, caller=caller, draft=draft)
