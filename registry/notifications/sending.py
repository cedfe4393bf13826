"""Sends one message to one Receiver: by webhook, to an Alertmanager, or through Apprise.

Where it may go is judged at each connect (meshway/outbound/guard.py): no address of this machine where others reach the
registry, no cloud's metadata, and neither the registry itself nor its stores. No redirect is followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import ssl
import traceback
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.http1.fields import is_name
from meshway.outbound.connection import PlainError
from meshway.outbound.fetch import post_json
from registry.documents.secret_texts import SecretAway
from registry.notifications.apprise import send_by_apprise
from registry.notifications.message import postable_alerts, text_of, title_of, webhook_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from meshway.model.receiver import AlertmanagerTarget, Receiver, WebhookTarget
    from meshway.outbound.connection import Dial
    from registry.alerts.records import AlertState
    from registry.documents.secret_texts import SecretTexts
    from registry.notifications.records import ReceiverKey

TIMEOUT_S: Final = 10.0
_LONGEST_ANSWER: Final = 64 << 10
_MOST_QUOTED: Final = 200
_log = logging.getLogger("registry.notifications")
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - by which Standard Webhooks marks a key in base64
_PLAIN: Final = re.compile(r"[\x20-\x7e]*\Z")
_OURS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "content-type", "accept", "user-agent"}
)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """detail: how the other side answered, or why there was no answer. answer: the first of what it said, for who
    tests a Receiver; without what it was sent as a secret."""

    ok: bool
    detail: str
    answer: str = ""


class Sending:
    """closed: addresses and ports where Apprise may not go either. wall: seconds since 1970. console: its URL, "" while
    nobody said it."""

    __slots__ = ("_allow_loopback", "_closed", "_console", "_dial", "_secrets", "_tls", "_wall")

    def __init__(
        self,
        dial: Dial,
        secrets: SecretTexts,
        closed: Callable[[], Awaitable[Sequence[tuple[str, int]]]],
        wall: Callable[[], float],
        console: Callable[[], str],
        *,
        allow_loopback: bool,
    ) -> None:
        self._dial, self._secrets, self._closed, self._wall = dial, secrets, closed, wall
        self._console = console
        self._allow_loopback = allow_loopback
        self._tls = ssl.create_default_context()

    async def send(
        self,
        key: ReceiverKey,
        receiver: Receiver,
        labels: Mapping[str, str],
        alerts: Sequence[AlertState],
        *,
        message: str,
        left_out: int = 0,
    ) -> Sent:
        """message: the same for each try to tell the same. Never raises: what fails here is tried again as what fails
        there."""
        try:
            console = self._console()
            if receiver.webhook is not None:
                body = webhook_body("/".join(key), labels, alerts, left_out, console)
                return await self._webhook(key[0], receiver.webhook, msgspec.json.encode(body), message)
            if receiver.alertmanager is not None:
                posted = msgspec.json.encode(postable_alerts(alerts, self._wall(), console))
                return await self._alertmanager(key[0], receiver.alertmanager, posted)
            assert receiver.apprise is not None
            url = self._secrets.one(receiver.apprise.url, key[0])
            ok, why = await send_by_apprise(
                url,
                title_of(alerts),
                text_of(alerts, left_out, console),
                allow_loopback=self._allow_loopback,
                closed=await self._closed(),
            )
            return Sent(ok=ok, detail=why)
        except (PlainError, SecretAway) as error:
            return Sent(ok=False, detail=str(error))
        except Exception as error:
            # Without what the error says: it may quote what was to be sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a message to Receiver %s/%s cannot be sent: %s\n%s", *key, type(error).__name__, where)
            why = f"it cannot be sent by this registry now ({type(error).__name__}); its log says why"
            return Sent(ok=False, detail=why)

    async def _webhook(self, namespace: str, target: WebhookTarget, body: bytes, message: str) -> Sent:
        """Raises PlainError, SecretAway."""
        fields = {} if target.headers is None else self._secrets.all(target.headers, namespace)
        hidden = list(fields.values())
        if target.sign is not None:
            at = int(self._wall())
            key = signing_key(self._secrets.one(target.sign, namespace))
            fields = fields | {
                "webhook-id": message,
                "webhook-timestamp": str(at),
                "webhook-signature": signature(key, message, at, body),
            }
        return await self._post(target.url, body, _lines(fields), hidden)

    async def _alertmanager(self, namespace: str, target: AlertmanagerTarget, body: bytes) -> Sent:
        """Raises PlainError, SecretAway."""
        hidden = [] if target.auth is None else [self._secrets.one(target.auth, namespace)]
        lines = b"".join(_lines({"Authorization": text}) for text in hidden)
        return await self._post(f"{target.url.rstrip('/')}/api/v2/alerts", body, lines, hidden)

    async def _post(self, url: str, body: bytes, lines: bytes, hidden: Sequence[str]) -> Sent:
        """Raises PlainError."""
        status, text = await post_json(
            url, body, lines, self._dial, self._tls, limit=_LONGEST_ANSWER, timeout_s=TIMEOUT_S
        )
        return Sent(ok=200 <= status < 300, detail=f"it answers {status}", answer=_quoted(text, hidden))


def signing_key(text: str) -> bytes:
    """The text itself, or what stands in base64 behind `whsec_`. Raises SecretAway."""
    if not text.startswith(_SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretAway(f"the key to sign by is no base64 behind {_SECRET_PREFIX}") from error


def signature(key: bytes, message: str, at: int, body: bytes) -> str:
    """Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`. at: seconds since 1970."""
    signed = hmac.new(key, b"%b.%d.%b" % (message.encode(), at, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _lines(fields: Mapping[str, str]) -> bytes:
    """Raises SecretAway: names and values are a Secret's."""
    for name, value in fields.items():
        if not is_name(name.encode()) or name.lower() in _OURS:
            raise SecretAway(f"the Secret of headers names one that is none, or is ours: {name!r}")
        if not _PLAIN.match(value):
            raise SecretAway(f"the value of header {name} has characters that no header has")
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def _quoted(text: bytes, hidden: Sequence[str]) -> str:
    """What an answer says, without control characters and without our own secrets, should it repeat them."""
    said = text.decode("utf-8", "replace")
    for secret in sorted(hidden, key=len, reverse=True):
        for part in {secret, *secret.split(" ")}:
            if len(part) > 3:
                said = said.replace(part, "***")
    return "".join(each for each in said if each.isprintable() or each == " ")[:_MOST_QUOTED]
