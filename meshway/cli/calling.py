"""One call through the gateway's mesh listener, as a person makes it."""

import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from meshway.addresses import is_loopback
from meshway.cli.failure import NOT_FOUND, UNREACHABLE, CliError
from meshway.cli.logged import where_it_went
from meshway.cli.registry_client import transport_reason
from meshway.cli.running import RunFolder
from meshway.cli.session import Session

_CONNECT_S: Final = 1.0
_TRIED: Final = 5


class Question(NamedTuple):
    """gateway: base URL of the mesh listener. host: the service's full name, `reviews.shop.mesh`. log_of: the data
    folder whose access log may know where the call went.
    """

    gateway: str
    host: str
    path: str
    method: str
    headers: list[tuple[str, str]]
    data: str | None
    log_of: Path


def ask_gateway(session: Session, question: Question) -> int:
    """Streams the body to stdout; answers the status. Raises CliError 7 when no gateway answers."""
    began = time.monotonic()
    try:
        with (
            httpx.Client(trust_env=False, timeout=session.timeout_s) as client,
            client.stream(
                question.method.upper(),
                question.gateway + question.path,
                headers=[("host", question.host), *question.headers],
                content=_body(question.data),
            ) as response,
        ):
            took_ms = (time.monotonic() - began) * 1000.0
            _tell(session, question, response, took_ms)
            last = b""
            for last in response.iter_bytes():
                sys.stdout.buffer.write(last)
            sys.stdout.buffer.flush()
            if last and not last.endswith(b"\n") and _is_one_stream():
                session.say()
            if not session.quiet:
                _tell_way(session, question, response)
            return response.status_code
    except httpx.TimeoutException as error:
        raise CliError(
            UNREACHABLE, f"{question.host} did not answer within {session.timeout_s:g} s", mend="wait longer: --timeout"
        ) from error
    except httpx.TransportError as error:
        raise CliError(
            UNREACHABLE,
            f"gateway at {question.gateway} does not answer",
            why=transport_reason(error),
            mend="start one here (meshway up), or name the mesh listener of one elsewhere: --gateway http://HOST:8581",
        ) from error


def mesh_listener(data: Path) -> str | None:
    """Of the mesh that `meshway up` runs in a data folder; None where none runs."""
    running = RunFolder(data).running()
    return None if running is None or running.ready is None else running.ready.mesh


def reported_listener(session: Session) -> str | None:
    """Of a live gateway that told the registry where it listens and takes connections from here; None without one."""
    from meshway.cli.registry_client import RegistryClient

    try:
        gateways = RegistryClient(session).read("/v1/gateways")["items"]
    except CliError:
        return None  # gateways carry calls without a registry, so the one at the usual port is worth a try
    told = [str(gateway["mesh"]) for gateway in gateways if gateway["live"] and gateway.get("mesh")]
    is_here = is_loopback(urlsplit(session.registry).hostname or "")
    for url in told[:_TRIED]:
        where = urlsplit(url)
        # Another machine's loopback is not ours.
        if where.hostname and where.port and (is_here or not is_loopback(where.hostname)):
            with contextlib.suppress(OSError), socket.create_connection((where.hostname, where.port), _CONNECT_S):
                return url
    return None


def _is_one_stream() -> bool:
    """Body and status come out in one place, a terminal or a log."""
    out, err = os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno())
    return (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)


def _tell(session: Session, question: Question, response: httpx.Response, took_ms: float) -> None:
    session.say(
        f"{response.status_code} {response.reason_phrase}   {question.method} {question.host}{question.path}"
        f"   {took_ms:.0f} ms"
    )
    if session.verbose:
        for name, value in response.headers.multi_items():
            session.say(f"  {name}: {value}")


def _tell_way(session: Session, question: Question, response: httpx.Response) -> None:
    told = [where_it_went(question.log_of, question.gateway, response.headers.get("x-request-id", ""))]
    if reason := response.headers.get("meshway-reason"):
        told.append(f"answered by the gateway: {reason}")
    if line := ", ".join(part for part in told if part):
        session.say(line)


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot read {data[1:]}: {error.strerror}") from error
