"""Sets, adds and removes header fields: of the request on its way in, of the answer on its way out.

Order: remove, set, add, so that a document reads the same whatever order it is written in; among fields of one name
those with variables come last. Of a request what is removed or set goes in every spelling: many services read `X_User`
as `X-User`, and a Listener may let such names pass.
"""

from collections.abc import Sequence

from gateway.exchange import Exchange, Reply
from gateway.filters.header_lines import fixed_lines, variable_lines
from gateway.plan import RequestFilter, ResponseFilter
from meshway.http1.fields import dashed, remove, remove_alike
from meshway.http1.message import ResponseHead
from meshway.model.match import PathMatch
from meshway.model.route import HeaderChanges


def compile_request_filter(changes: HeaderChanges, paths: Sequence[PathMatch] = ()) -> RequestFilter:
    """paths: canonical, of the rule's matches, for `${path.NAME}`."""
    names, added, lines = dashed(_gone(changes)), fixed_lines(changes), variable_lines(changes, paths)

    def add_headers(exchange: Exchange) -> Reply | None:
        exchange.block += added
        return None

    def change_headers(exchange: Exchange) -> Reply | None:
        exchange.block = remove_alike(exchange.block, names) + added
        return None

    def write_headers(exchange: Exchange) -> Reply | None:
        assert lines is not None
        exchange.block = remove_alike(exchange.block, names) + added + lines(exchange)
        return None

    if lines is not None:
        return write_headers
    return change_headers if names else add_headers


def compile_reply_filter(changes: HeaderChanges, paths: Sequence[PathMatch] = ()) -> RequestFilter:
    """For a rule that answers itself: there is nothing to remove."""
    added, lines = fixed_lines(changes), variable_lines(changes, paths)

    def add_to_reply(exchange: Exchange) -> Reply | None:
        exchange.added += added if lines is None else added + lines(exchange)
        return None

    return add_to_reply


def compile_response_filter(changes: HeaderChanges) -> ResponseFilter:
    """What depends on the answer alone; `compile_answer_filter` has the rest."""
    names, added = _gone(changes), fixed_lines(changes)

    def add_headers(head: ResponseHead) -> None:
        head.block += added

    def change_headers(head: ResponseHead) -> None:
        head.block = remove(head.block, names) + added

    return change_headers if names else add_headers


def compile_answer_filter(changes: HeaderChanges, paths: Sequence[PathMatch]) -> RequestFilter | None:
    """The answer's fields whose values are of the call; None when there are none. Refusals carry them, too."""
    lines = variable_lines(changes, paths)
    if lines is None:
        return None

    def add_to_answer(exchange: Exchange) -> Reply | None:
        exchange.added += lines(exchange)
        return None

    return add_to_answer


def _gone(changes: HeaderChanges) -> tuple[bytes, ...]:
    """Lower-case names that must not stay: what is removed, and what is set anew."""
    return tuple(sorted({name.lower().encode() for name in (*changes.remove, *changes.set)}))
