"""POST /v1/assignments: what workers of a gateway may admit of the limits that all share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshway.assignments.messages import Asks, Grants
from meshway.problem import FieldError, invalid_request
from registry.machine.request import Reply, Request, answer_when, json_reply
from registry.manners.json_text import decoder_of

if TYPE_CHECKING:
    from registry.gateways import Gateways
    from registry.limits.books import Books


class Assignments:
    __slots__ = ("_books", "_decode", "_gateways")

    def __init__(self, books: Books, gateways: Gateways) -> None:
        self._books = books
        self._gateways = gateways
        self._decode = decoder_of(Asks, "")

    def post(self, request: Request) -> Reply | asyncio.Future[Reply]:
        asks = self._decode(request.body)
        for at, ask in enumerate(asks.asks):
            if ask.budget >= len(asks.budgets):
                path = f"asks[{at}].budget"
                message = f"{path}: {ask.budget} is none of the {len(asks.budgets)} budgets"
                raise invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))
        # A host that has not reported yet counts all the same.
        workers = max(self._gateways.live_workers(asks.node) + asks.workers, 1)
        granted = self._books.assign(asks, workers)
        if isinstance(granted, asyncio.Future):
            return answer_when(granted, lambda grants: json_reply(Grants(workers=workers, grants=grants)))
        return json_reply(Grants(workers=workers, grants=granted))
