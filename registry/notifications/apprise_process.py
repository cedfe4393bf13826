"""The process that sends one message through Apprise: read from stdin as JSON, its result written to stdout.

By an audit hook (PEP 578) it connects to no forbidden address, whatever a name resolves to or an answer redirects to,
reads no file but those of Python and of the system's certificates, writes none, and starts no program: who may write a
Receiver may not read the registry's disk by it.
"""

import io
import ipaddress
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from meshway.addresses import forbidden, plain

_READABLE: Final = (
    "/etc/ssl", "/etc/pki", "/usr/share", "/usr/lib", "/usr/local/share", "/etc/hosts", "/etc/resolv.conf",
    "/etc/nsswitch.conf", "/etc/services", "/etc/mime.types", "/etc/localtime", "/etc/timezone", "/dev/null",
    "/dev/urandom",
)  # fmt: skip
_NEVER: Final = frozenset(
    {
        "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
        "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate",
        "syslog.openlog", "syslog.syslog", "ctypes.dlopen", "webbrowser.open",
    }
)  # fmt: skip
_SENT_TO: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ANY_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
_SHORTEST_HIDDEN: Final = 4
_MOST_TOLD: Final = 300
_WAIT_S: Final = 15.0


class Refused(PermissionError):
    """An OSError, so that a library takes it as what could not be done."""


class Bounds:
    """What the process may do from the moment it is installed. closed: addresses and ports that are not called."""

    def __init__(self, *, allow_loopback: bool, closed: Iterable[tuple[str, int]]) -> None:
        self._allow_loopback = allow_loopback
        self._closed = {(plain(ipaddress.ip_address(host)), port) for host, port in closed}
        own = {sys.prefix, sys.base_prefix, *filter(None, map(os.path.dirname, (os.__file__, json.__file__)))}
        self._roots = tuple(f"{os.path.realpath(root)}{os.sep}" for root in own if os.path.realpath(root) != os.sep)
        self._files = tuple(os.path.realpath(path) for path in _READABLE) + _READABLE
        self.refusal = ""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._judge_file(arguments)
        elif event in _SENT_TO:
            self._judge_address(arguments[1] if len(arguments) > 1 else None)
        elif event in _NEVER:
            self._refuse(f"Apprise may not do {event}")

    def _judge_file(self, arguments: tuple[Any, ...]) -> None:
        path, mode, flags = arguments
        if isinstance(path, int):
            return
        name = os.path.realpath(os.fsdecode(path))
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITES)
        is_known = name in self._files or name.startswith((*self._roots, *(f"{each}{os.sep}" for each in self._files)))
        if (writes and name != os.devnull) or not is_known:
            self._refuse("Apprise may read no file of this machine, and write none")

    def _judge_address(self, address: Any) -> None:
        if not isinstance(address, tuple):
            self._refuse("Apprise may call no socket of this machine")
        host, port = str(address[0]).partition("%")[0], address[1]
        try:
            ip = plain(ipaddress.ip_address(host))
        except ValueError:
            self._refuse("Apprise may call addresses only")
        reason = forbidden(ip, allow_loopback=self._allow_loopback)
        if reason is not None or (ip, port) in self._closed:
            self._refuse(f"{ip} {reason or f'with port {port} is the registry, or a store of it'}")

    def _refuse(self, why: str) -> None:
        self.refusal = why
        raise Refused(why)


def without_secrets(text: str, url: str) -> str:
    """A line of a library's log without what the URL holds beside its scheme and host."""
    text = _ANY_URL.sub("***", text)  # also those that the library has shortened: a letter is one too many
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    held = {url, parts.path, parts.query, login, *re.split(r"[:/]", login), *parts.path.split("/")}
    held |= {value for _, value in parse_qsl(parts.query, keep_blank_values=True)}
    # Of a service's URL (`slack://TokenA/TokenB`) the host is a secret, too.
    held |= set() if "." in place or ":" in place else {place}
    for each in sorted({*held, *map(unquote, held)}, key=len, reverse=True):
        if len(each) >= _SHORTEST_HIDDEN:
            text = text.replace(each, "***")
    return text


def main() -> None:
    asked = json.load(sys.stdin.buffer)
    url: str = asked["url"]
    import apprise

    heard = io.StringIO()
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.StreamHandler(heard))
    logger.setLevel(logging.WARNING)
    asset = apprise.AppriseAsset(
        secure_logging=True,
        allow_templates=False,
        plugin_paths=None,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=_WAIT_S,
    )
    bounds = Bounds(allow_loopback=asked["allow_loopback"], closed=map(tuple, asked["closed"]))
    sys.addaudithook(bounds)
    try:
        sender = apprise.Apprise(asset=asset)
        if not sender.add(url):
            ok, why = False, "it is no URL that Apprise knows: see github.com/caronc/apprise/wiki"
        else:
            ok = bool(sender.notify(title=asked["title"], body=asked["body"], body_format=apprise.NotifyFormat.TEXT))
            why = "Apprise has sent it" if ok else "Apprise could not send it"
    except Exception as error:  # whatever a plugin raises, the message did not leave
        ok, why = False, f"Apprise ended with {type(error).__name__}"
    lines = [line for line in heard.getvalue().splitlines() if line.strip()]
    if not ok and bounds.refusal:
        why = bounds.refusal
    elif not ok and lines:
        why = f"{why}: {without_secrets(lines[-1], url)[:_MOST_TOLD]}"
    sys.stdout.write(json.dumps({"ok": ok, "why": why}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
