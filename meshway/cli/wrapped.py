"""A program kept registered while it runs: any program, in any language."""

import os
import signal
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.cli.failure import FAILED, NOT_FOUND, CliError
from meshway.cli.session import Session

if TYPE_CHECKING:
    from meshway.client.background import Registered
    from meshway.client.registration import Registration
    from meshway.client.settings import MeshSettings

_WARNS_AFTER_S: Final = 10.0
_LISTENS_WITHIN_S: Final = 60.0
_ENDS_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.1


class Wrapped(NamedTuple):
    """command: empty for a program that somebody else runs."""

    command: tuple[str, ...]
    port: int


def run_registered(session: Session, settings: "MeshSettings", wanted: "Registration", wrapped: Wrapped) -> int:
    """Until the program ends or a signal comes; answers the exit code. On a signal: drain, stop it, deregister."""
    from meshway.client.mesh import Mesh

    stop = threading.Event()
    _on_signals(stop)
    child = _start(settings, wanted, wrapped) if wrapped.command else None
    if child is not None and not _listens(session, child, wanted, stop):
        return _end(session, child) if stop.is_set() else _end_unheard(session, child, wanted.port)
    mesh = Mesh(settings)
    try:
        with mesh.register(
            wanted.service,
            wanted.port,
            namespace=wanted.namespace,
            id=wanted.id,
            address=wanted.address,
            protocol=wanted.protocol,
            version=wanted.version,
            zone=wanted.zone,
            weight=wanted.weight,
            tags=wanted.tags,
            metadata=wanted.metadata,
            ttl_s=wanted.ttl_s,
        ) as me:
            _on_signals(stop)  # the SDK drains by itself, but would not stop the child
            _follow(session, me, wanted, child, stop)
            if stop.is_set():
                session.say("draining")
                me.drain()
            return 0 if child is None else _end(session, child)
    finally:
        mesh.close()


def _on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())


def _start(settings: "MeshSettings", wanted: "Registration", wrapped: Wrapped) -> "subprocess.Popen[bytes]":
    """In a session of its own: Ctrl-C reaches us alone, and the instance drains before its program is told to end."""
    environment = os.environ | {
        "PORT": str(wrapped.port),
        "MESHWAY_URL": ",".join(settings.registries),
        "MESHWAY_GATEWAY": settings.gateway,
        "MESHWAY_NAMESPACE": wanted.namespace,
        "MESHWAY_SERVICE": wanted.service,
    }
    try:
        return subprocess.Popen(wrapped.command, env=environment, start_new_session=True)
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot run {wrapped.command[0]}: {error.strerror}") from error


def _listens(session: Session, child: "subprocess.Popen[bytes]", wanted: "Registration", stop: threading.Event) -> bool:
    """Waits until the port answers, so that no gateway calls a program that is still starting. None of UDP does."""
    if wanted.protocol == "udp":
        return child.poll() is None and not stop.is_set()
    began, has_warned = time.monotonic(), False
    while child.poll() is None and (waited_s := time.monotonic() - began) < _LISTENS_WITHIN_S:
        for host in (wanted.address, "127.0.0.1"):
            try:
                socket.create_connection((host, wanted.port), timeout=1.0).close()
            except OSError:
                continue
            return True
        if waited_s >= _WARNS_AFTER_S and not has_warned:
            has_warned = True
            session.say(
                f"! nothing answers on port {wanted.port} yet, so {wanted.namespace}/{wanted.service} is not "
                f"registered: --port is where the program listens; it is stopped after {_LISTENS_WITHIN_S:.0f} s"
            )
        if stop.wait(_POLL_S):
            return False
    return False


def _follow(
    session: Session,
    me: "Registered",
    wanted: "Registration",
    child: "subprocess.Popen[bytes] | None",
    stop: threading.Event,
) -> None:
    """Tells each change of state once, until a signal comes or the program ends."""
    told = ""
    while not stop.wait(_POLL_S):
        if child is not None and child.poll() is not None:
            return
        status = me.status()
        if status.state == told:
            continue
        told = status.state
        if status.state == "passing":
            session.say(f"✓ {wanted.name} at {wanted.address}:{wanted.port}, lease {wanted.ttl_s:g} s; Ctrl-C drains")
        elif status.state == "shared":
            session.say(f"! {wanted.name} is registered by another process here; this one does when that one ends")
        elif status.error:
            session.say(f"! {wanted.name} is {status.state}: {status.error}")


def _end_unheard(session: Session, child: "subprocess.Popen[bytes]", port: int) -> int:
    """Of a program that was never registered."""
    if child.poll() is None:
        session.say(f"✗ the program did not listen on port {port} within {_LISTENS_WITHIN_S:.0f} s, and is stopped")
        return _end(session, child) or FAILED
    session.say(f"! the program ended before it listened, exit code {child.returncode}")
    return _end(session, child)


def _end(session: Session, child: "subprocess.Popen[bytes]") -> int:
    """Stops what still runs; answers its exit code, 128 + n for a signal as shells do, 0 for the one that we sent."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            session.say(f"! pid {child.pid} did not end within {_ENDS_WITHIN_S:.0f} s; killing it")
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode == -signal.SIGTERM:
        return 0
    return child.returncode if child.returncode >= 0 else 128 - child.returncode
