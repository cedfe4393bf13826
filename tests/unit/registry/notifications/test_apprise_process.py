import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from registry.notifications.apprise_process import Bounds, Refused, without_secrets


def bounds(*, allow_loopback: bool = True, closed: tuple[tuple[str, int], ...] = ()) -> Bounds:
    return Bounds(allow_loopback=allow_loopback, closed=closed)


@pytest.mark.parametrize("path", ["/etc/passwd", "/var/lib/secret", "relative", f"{sys.prefix}/../secret"])
def test_files_of_the_machine_are_not_read(path: str) -> None:
    with pytest.raises(Refused):
        bounds()("open", (path, "r", os.O_RDONLY))


@pytest.mark.parametrize("path", [os.__file__, "/etc/ssl/certs/ca-certificates.crt", "/dev/urandom", "/etc/hosts"])
def test_files_of_python_and_of_certificates_are_read_and_not_written(path: str) -> None:
    bounds()("open", (path, "rb", os.O_RDONLY))
    with pytest.raises(Refused):
        bounds()("open", (path, "w", os.O_WRONLY | os.O_CREAT))


@pytest.mark.parametrize("event", ["subprocess.Popen", "os.exec", "os.system", "os.remove", "syslog.openlog"])
def test_programs_are_not_started_and_nothing_is_removed(event: str) -> None:
    with pytest.raises(Refused):
        bounds()(event, ("x",))


@pytest.mark.parametrize("address", [("169.254.169.254", 80), ("::ffff:169.254.169.254", 80), ("0.0.0.0", 80)])
def test_forbidden_addresses_are_not_called(address: tuple[str, int]) -> None:
    for event in ("socket.connect", "socket.sendto"):
        with pytest.raises(Refused):
            bounds()(event, (None, address))


@pytest.mark.parametrize("address", ["/run/docker.sock", ("registry.example", 80)])
def test_sockets_by_path_or_by_name_are_not_called(address: object) -> None:
    with pytest.raises(Refused):
        bounds()("socket.connect", (None, address))


def test_the_registry_and_its_stores_are_not_called_and_their_neighbours_are() -> None:
    judge = bounds(closed=(("127.0.0.1", 8500),))
    judge("socket.connect", (None, ("127.0.0.1", 25)))
    judge("socket.connect", (None, ("192.0.2.7", 443)))
    with pytest.raises(Refused):
        judge("socket.connect", (None, ("::ffff:127.0.0.1", 8500)))
    with pytest.raises(Refused):
        bounds(allow_loopback=False)("socket.connect", (None, ("127.0.0.1", 25)))


def test_the_hook_holds_whatever_opens_a_connection() -> None:
    """In a process of its own: a hook stays for good."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"""
import sys, urllib.request
from registry.notifications.apprise_process import Bounds
sys.addaudithook(Bounds(allow_loopback=False, closed=()))
for ask in (lambda: urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=5), lambda: open("/etc/passwd")):
    try:
        ask()
    except OSError as error:
        print(type(error).__name__, "Refused" in repr(error))
"""
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.split("\n")[:2] == ["URLError True", "Refused True"]


def test_a_line_of_a_log_loses_what_the_url_holds_beside_its_host() -> None:
    url = "json://robot:pa55%20word@hooks.example:8443/T0KEN/x?key=hush-hush&a=b"
    line = "Failed robot pa55 word pa55%20word at hooks.example:8443/T0KEN/x key hush-hush"
    told = without_secrets(line, url)
    for secret in ("robot", "pa55", "T0KEN", "hush-hush"):
        assert secret not in told
    assert "hooks.example" in told
    assert without_secrets("Could not load mailto://r...t:p...d@h...e/?a=b now", url) == "Could not load *** now"
    assert "TokenA" not in without_secrets("no TokenA", "slack://TokenA/TokenB")


def test_the_program_is_one_that_can_be_started(tmp_path: Path) -> None:
    asked = b'{"url": "nosuch://a", "title": "t", "body": "b", "allow_loopback": true, "closed": []}'
    command = [sys.executable, "-m", "registry.notifications.apprise_process"]
    said = subprocess.run(command, input=asked, capture_output=True, check=True, timeout=60)
    assert b'"ok": false' in said.stdout
    assert b"no URL that Apprise knows" in said.stdout
