"""What a call does with its request's body before a service takes it: held until it is whole, made into another one."""

from abc import abstractmethod

from gateway.exchange import Reply, WholeBody
from gateway.plan import RoutePlan
from gateway.relay.ending import Ending
from gateway.relay.mirror import CopiedBody
from gateway.relay.refusals import above, go_ahead, too_large
from gateway.relay.replay import Replay
from gateway.verdict import Recoding, Turn


class RequestBody(Ending):
    """is_request_whole, request_trailers: the caller has sent all. body: what is kept of the request's, None when it
    has none. Its attributes are set by `Call`, as those of `Ending`."""

    __slots__ = ("_recoding", "_wants_whole", "body", "is_request_whole", "request_trailers")

    body: Replay | None
    is_request_whole: bool
    request_trailers: bytes
    _recoding: Recoding | None
    _wants_whole: tuple[WholeBody, RoutePlan, int] | None

    @abstractmethod
    def _filter(self, plan: RoutePlan, start: int) -> None: ...

    @abstractmethod
    def _wait(self, turn: Turn, plan: RoutePlan, index: int) -> None: ...

    def _collect(self, wanted: WholeBody, plan: RoutePlan, index: int) -> None:
        """index: of the filter to go on with."""
        self._wants_whole = (wanted, plan, index)
        if wanted.is_partial or not self._is_above(wanted.most):
            if self.is_request_whole or self.exchange.bytes_in > wanted.most:
                self._judge_whole()
            else:
                if self.exchange.head.expect_continue and not self.exchange.bytes_in:
                    self.downstream.send_interim(go_ahead())
                self.downstream.resume_body()

    def _is_above(self, most: int) -> bool:
        exchange = self.exchange
        if exchange.bytes_in <= most and exchange.head.body <= most:
            return False
        self.on_bad_body(above(most))
        return True

    def _judge_whole(self) -> None:
        assert self._wants_whole is not None
        (wanted, plan, index), self._wants_whole = self._wants_whole, None
        verdict = wanted.judge(self.exchange, b"" if self.body is None else self.body.held())
        if isinstance(verdict, Turn):
            self._wait(verdict, plan, index)
        elif isinstance(verdict, Reply):
            self.answer(verdict)
        else:
            if verdict is not None:
                self.body = (CopiedBody if plan.mirrors else Replay)(plan.replay, verdict)
            self._filter(plan, index)

    def _is_too_large(self) -> bool:
        """Of a body whose length was not announced; it is refused then."""
        exchange = self.exchange
        plan = exchange.plan
        if plan is None or exchange.bytes_in <= plan.max_body:
            return False
        self.on_bad_body(too_large(plan))
        return True

    def _recode(self, recoding: Recoding, plan: RoutePlan) -> bool:
        """From the body's beginning. Whether the call goes on."""
        self._recoding = recoding
        if self.body is None:
            return True
        made = self._recoded(self.body.held())
        if self.is_over:
            return False
        if self.is_request_whole and not recoding.is_whole:
            self._refuse_body("it ends too early")
            return False
        self.body = type(self.body)(plan.replay, made)
        return True

    def _recoded(self, data: bytes) -> bytes:
        """b"": there is nothing for the service yet, or the call is over."""
        assert self._recoding is not None
        try:
            return self._recoding.feed(data)
        except ValueError as error:
            self._refuse_body(str(error))
            return b""

    def _refuse_body(self, reason: str) -> None:
        self.on_bad_body(Reply(400, "bad_request", "DPE", f"the request's body cannot be read: {reason}"))

    def take_body(self) -> bytes:
        """All of the body that is there, for an attempt that can send now."""
        body = self.body
        if body is None:
            return b""
        if not self.is_request_whole:
            self.downstream.resume_body()
        return body.take()

    @property
    def is_body_whole(self) -> bool:
        """Whether the request can be sent again."""
        return self.body is None or self.body.is_whole
