"""POST /v1/logs (OTLP/HTTP), GET: lines of services' logs as a list, GET /v1/logs/follow: as server-sent events.

Refusals of a POST in protobuf bear google.rpc.Status, as OTLP wants them; all others are problem documents.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.http1.fields import find
from meshway.log_lines import PATH, LogLine
from meshway.otlp.log_reading import partial_success, status_message
from meshway.otlp.log_records import CONTENT_TYPE, SEVERITIES
from meshway.problem import FieldError, Problem, invalid_request, soon
from meshway.tasks import spawn
from registry.logs.intake import Sent
from registry.logs.logs import LATE_S, place_of
from registry.logs.words import BadSearch, read_search
from registry.machine.placed import PlacedStream
from registry.machine.request import JSON, Reply, Request, answer_when, json_reply, problem_reply
from registry.manners.query import limit_of, next_link, query_of, time_of
from registry.store.interface import StoreUnavailable
from registry.store.logs import LogQuestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.logs.lines import Judged
    from registry.logs.logs import LogPage, Logs
    from registry.machine.request import Outlet, Stream
    from registry.manners.places import Places
    from registry.rights.caller import Caller

DAY_S: Final = 86_400.0
MOST_S: Final = 366 * DAY_S
FOLLOW_EVERY_S: Final = 0.5
MOST_AT_ONCE: Final = 200  # lines of one event
MOST_SEARCHES: Final = 32  # that wait
QUIET_TURNS: Final = 20  # without anything to say, then a sign of life
OF_LINES: Final = frozenset({"service", "namespace", "instance", "severity", "text", "trace_id"})
OF_LISTS: Final = OF_LINES | {"at", "window_s", "limit", "cursor"}
_PROTOBUF: Final = frozenset({CONTENT_TYPE, "application/protobuf"})
_EVENTS: Final = b"content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n"
# google.rpc.Code of our statuses.
_CODES: Final = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
_encode: Final = msgspec.json.Encoder().encode


class LogRoutes:
    """wall: seconds since 1970. places: of those who follow."""

    def __init__(self, logs: Logs, wall: Callable[[], float], places: Places) -> None:
        self._logs = logs
        self._wall = wall
        self._places = places
        self._searches = 0

    def post(self, request: Request) -> asyncio.Future[Reply]:
        kind = (request.field(b"content-type") or "").partition(";")[0].strip().lower()
        coding = (find(request.head.block, b"content-encoding") or b"").strip().lower()
        if kind not in _PROTOBUF and kind not in ("", JSON.decode()):
            detail = f"Content-Type {kind}: logs come as {CONTENT_TYPE} or application/json"
            raise Problem(415, "unsupported_media_type", "No logs", detail=detail)
        if coding not in (b"", b"gzip", b"identity"):
            detail = f"Content-Encoding {coding.decode('latin-1')}: gzip is what is read here"
            raise Problem(415, "unsupported_media_type", "No logs", detail=detail)
        caller, is_json = request.caller, kind not in _PROTOBUF
        sent = Sent(
            request.body,
            is_json=is_json,
            is_packed=coding == b"gzip",
            caller=f"{request.who} at {request.peer}",
            own=_own(caller),
            may=caller.may_log,
        )
        return answer_when(spawn(self._taken(sent), name="take logs"), partial(_answer, request, is_json))

    async def _taken(self, sent: Sent) -> Judged | Problem:
        """A refusal is no fault of ours, and is answered in the form in which the body came."""
        try:
            return await self._logs.intake.take(sent)
        except Problem as problem:
            return problem

    def follow(self, request: Request) -> Reply | Stream:
        question = self._question(query_of(request.query, OF_LINES), request.caller)
        if request.is_head:
            return Reply(200, headers=_EVENTS)
        return PlacedStream(LogStream(self._logs, question), self._places, request)

    def get(self, request: Request) -> asyncio.Future[Reply]:
        query = query_of(request.query, OF_LISTS)
        question = self._question(query, request.caller)
        if self._searches >= MOST_SEARCHES:
            detail = f"{MOST_SEARCHES} searches of logs wait already"
            raise Problem(503, "busy", "Too many searches", detail=detail, headers=soon())
        limit = limit_of(query)
        self._searches += 1
        return answer_when(spawn(self._found(question, limit), name="search logs"), partial(_page, request))

    async def _found(self, question: LogQuestion, limit: int) -> LogPage | Problem:
        try:
            return await self._logs.search(question, limit)
        except StoreUnavailable as error:
            detail = f"the store of logs does not answer: {error}"
            return Problem(503, "store_unavailable", "No logs now", detail=detail, headers=soon())
        finally:
            self._searches -= 1

    def _question(self, query: dict[str, str], caller: Caller) -> LogQuestion:
        """Raises Problem 422."""
        namespace, slash, service = query.get("service", "").partition("/")
        if not slash:
            namespace, service = query.get("namespace", ""), namespace
        elif query.get("namespace", namespace) != namespace:
            raise _refused("namespace", "forbidden_combination", "service names another namespace already")
        severity = query.get("severity", "")
        if severity and severity not in SEVERITIES:
            raise _refused("severity", "out_of_bounds", f"{severity} is none: {', '.join(SEVERITIES)}")
        try:
            phrases = read_search(query.get("text", ""))
        except BadSearch as error:
            raise _refused("text", "bad_search", str(error)) from error
        cursor = query.get("cursor")
        try:
            before = None if cursor is None else place_of(cursor)
        except ValueError as error:
            raise _refused("cursor", "bad_cursor", str(error)) from error
        until = time_of(query, "at", 0.0, high=1e11)
        window_s = time_of(query, "window_s", 0.0, high=MOST_S)
        since = (until or self._wall()) - window_s if window_s else 0.0
        return LogQuestion(
            namespaces=caller.namespaces("logs:read"),
            namespace=namespace,
            service=service,
            instance=query.get("instance", ""),
            severity=SEVERITIES.get(severity, 0),
            trace_id=query.get("trace_id", "").lower(),
            since=max(0, int(since * 1e6)),
            until=int(until * 1e6),
            before=before,
            phrases=phrases,
        )


class LogStream:
    """An event `lines` holds `items`, the oldest first; one without any says that they are followed from now on, or
    that nothing came. What comes faster than it can be told is told later."""

    __slots__ = ("_logs", "_outlet", "_question", "_task")

    is_endless: bool = True

    def __init__(self, logs: Logs, question: LogQuestion) -> None:
        self._logs = logs
        self._question = question
        self._outlet: Outlet | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.open(200, _EVENTS)
        self._task = spawn(self._run(), name="follow logs")

    def resume(self) -> None:
        """What could not be shown meanwhile is read now."""

    def stop(self) -> None:
        self._outlet = None
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        seen: dict[int, float] = {}
        floor: int | None = None
        quiet = 0
        while (outlet := self._outlet) is not None:
            try:
                if floor is None:
                    floor = await self._logs.newest()
                    self._say("lines", {"items": []})  # what comes from now on is told
                fresh: list[LogLine] = []
                if not outlet.is_paused:
                    floor = self._forget(seen, floor, loop.time() - LATE_S)
                    question = self._question._replace(after=floor)
                    for id_, line in await self._logs.following(question, len(seen) + MOST_AT_ONCE):
                        if id_ not in seen:
                            seen[id_] = loop.time()
                            fresh.append(line)
            except StoreUnavailable as error:
                self._say("problem", {"code": "store_unavailable", "title": "No logs now", "detail": str(error)})
                await asyncio.sleep(LATE_S)
                continue
            quiet = 0 if fresh else quiet + 1
            if fresh or quiet >= QUIET_TURNS:
                quiet = 0
                self._say("lines", {"items": fresh})
            await asyncio.sleep(FOLLOW_EVERY_S)

    @staticmethod
    def _forget(seen: dict[int, float], floor: int, before: float) -> int:
        """The id behind which all is read: lines that another registry was still writing have come to light by then."""
        for id_ in [id_ for id_, at in seen.items() if at < before]:
            floor = max(floor, id_)
        for id_ in [id_ for id_ in seen if id_ <= floor]:
            del seen[id_]
        return floor

    def _say(self, name: str, data: object) -> None:
        if self._outlet is not None:
            self._outlet.send(b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data)))


def _own(caller: Caller) -> tuple[str, str] | None:
    namespace, slash, service = caller.service.partition("/")
    return (namespace, service) if slash else None


def _answer(request: Request, is_json: bool, told: Judged | Problem) -> Reply:
    if isinstance(told, Problem):
        return _refusal(request, is_json, told)
    if told.rejected and not told.rows:
        mend = "ship with the service's own certificate or token, or with a token whose role holds logs:write there"
        return _refusal(request, is_json, Problem(403, "forbidden", "Not allowed", detail=told.why, mend=mend))
    body = partial_success(told.rejected, told.why, is_json=is_json)
    return Reply(200, body, content_type=JSON if is_json else CONTENT_TYPE.encode())


def _refusal(request: Request, is_json: bool, problem: Problem) -> Reply:
    reply = problem_reply(problem, request.request_id)
    if not is_json:
        reply.body = status_message(_CODES.get(problem.status, 13), problem.detail or problem.title)
        reply.content_type = CONTENT_TYPE.encode()
    return reply


def _page(request: Request, page: LogPage | Problem) -> Reply:
    if isinstance(page, Problem):
        return problem_reply(page, request.request_id)
    link = next_link(PATH, request.query, page.next)
    return json_reply(page, headers=b"" if link is None else f"link: {link}\r\n".encode())


def _refused(name: str, code: str, reason: str) -> Problem:
    message = f"query.{name}: {reason}"
    return invalid_request(message, (FieldError(path=f"query.{name}", code=code, message=message),))
