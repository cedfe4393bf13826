"""What the filters of a rule would do with a call: those that only change it are run on a call that nobody sent."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from gateway.exchange import Exchange, Hold, Reply
from gateway.plan import FilterStep, Forecast
from meshway.explanation import FilterVerdict, Said


def walk(steps: Sequence[FilterStep], exchange: Exchange, by: Said) -> tuple[list[FilterVerdict], Reply | None]:
    """In order, up to the one that answers; its answer. by: the rule they belong to. The exchange is changed."""
    told: list[FilterVerdict] = []
    for step in steps:
        path = f"{by.path}.{step.at}" if step.at and by.path else by.path
        for forecast in step.forecast(exchange) if step.forecast is not None else [_run(step, exchange)]:
            told.append(verdict_of(step.name, forecast, Said(document=by.document, path=path)))
            if forecast.reply is not None:
                return told, forecast.reply
    return told, None


def verdict_of(name: str, forecast: Forecast, by: Said) -> FilterVerdict:
    """by: where the forecast is no other document's."""
    said = Said(document=forecast.document) if forecast.document else by
    return FilterVerdict(
        document=said.document, path=said.path, name=name, verdict=forecast.verdict, detail=forecast.detail
    )


def _run(step: FilterStep, exchange: Exchange) -> Forecast:
    before = (exchange.path, exchange.authority, exchange.block, exchange.added)
    verdict = step.run(exchange)
    if isinstance(verdict, Reply):
        said = verdict.detail or f"{verdict.status} {_phrase(verdict.status)}{_location(verdict)}"
        return Forecast("refuse" if verdict.status >= HTTPStatus.BAD_REQUEST else "answer", said, "", verdict)
    if isinstance(verdict, Hold):
        return Forecast("delay", f"waits {verdict.wait_s:g} s")
    changes = ", ".join(_changes(before, exchange))
    return Forecast("change", changes) if changes else Forecast("pass", "")


def _changes(before: tuple[bytes, bytes, bytes, bytes], exchange: Exchange) -> Iterator[str]:
    path, authority, block, added = before
    if exchange.path != path:
        yield f"path {path.decode('latin-1')} becomes {exchange.path.decode('latin-1')}"
    if exchange.authority != authority:
        yield f"host {authority.decode('latin-1')} becomes {exchange.authority.decode('latin-1')}"
    if exchange.block != block:
        old, new = _lines(block), _lines(exchange.block)
        yield from (f"request loses {line}" for line in old if line not in new)
        yield from (f"request gets {line}" for line in new if line not in old)
    if exchange.added != added:
        yield from (f"answer gets {line}" for line in _lines(exchange.added[len(added) :]))


def _lines(block: bytes) -> list[str]:
    return [line.decode("latin-1") for line in block.split(b"\r\n") if line]


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""


def _location(reply: Reply) -> str:
    for line in _lines(reply.fields):
        if line.lower().startswith("location:"):
            return f" to {line.partition(':')[2].strip()}"
    return ""
