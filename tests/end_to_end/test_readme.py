"""The README as typed: its lines run in order against a mesh, with other ports and nothing else changed."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.parts.every_protocol import FOLDER, PORTS, copied, elsewhere
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process
from tests.parts.prose import Block, blocks

PER_S = 5  # of the limit


def test_the_lines_of_the_readme_do_what_it_says(start_mesh: Callable[..., Mesh], tmp_path: Path) -> None:
    mesh = start_mesh(2)
    ports = {
        "8500": mesh.registry.rpartition(":")[2], "8580": mesh.edge.rpartition(":")[2],
        "8581": mesh.mesh.rpartition(":")[2], "8080": str(free_port()), "9000": str(free_port()),
        **{port: str(free_port()) for port in PORTS},
    }  # fmt: skip
    copied(tmp_path, {port: ports[port] for port in PORTS})
    script = [f"cd {ROOT}", *_lines(blocks(ROOT / "README.md"), tmp_path, ports)]
    environment = {
        "MESHWAY_URL": mesh.registry, "MESHWAY_GATEWAY": mesh.mesh, "MESHWAY_EDGE": mesh.edge, "PORT": ports["8080"],
    }  # fmt: skip
    shell = Process(["bash", "-c", "\n".join(script)], tmp_path / "readme.out", environment)
    try:
        assert shell.popen.wait(90) == 0, shell.text()
    finally:
        shell.stop_group()
    output = shell.text()
    assert output.count("Hello, World!") == 3, output
    for protocol in ("grpc", "websocket", "tcp", "udp"):
        assert f"{protocol}: hello by {protocol}" in output, output
    assert output.count("<h1>Directory listing for /") == 3, output
    # What curl prints, not the access log of the example: `"GET / HTTP/1.1" 200 -`.
    answers = output.rpartition("RateLimit default/books")[2]
    codes = re.findall(r'(?<!" )\b(200|429) (?!-)', answers)
    assert len(codes) == 20, output
    (took,) = re.findall(r"took (\d+) ms", answers)
    assert 3 <= codes.count("200") <= 8 + PER_S * int(took) // 1000, output
    assert "error:" not in output, output


def _lines(found: list[Block], folder: Path, ports: dict[str, str]) -> list[str]:
    """Every command of the page but `make`; a document is saved where the page says, a running program goes behind."""
    lines: list[str] = []
    for block in found:
        if block.language == "yaml":
            (folder / "limit.yaml").write_text(block.text)
        elif block.language in ("sh", "console"):
            lines += [_made_ready(line, folder, ports) for line in block.commands() if not line.startswith("make ")]
    return lines


def _made_ready(line: str, folder: Path, ports: dict[str, str]) -> str:
    line = elsewhere(line, ports).replace("limit.yaml", str(folder / "limit.yaml"))
    line = line.replace("examples/every-protocol", str(folder / FOLDER.name))
    if "call.py" in line:  # who reads has given them the second that they take to join
        return f"until {line} 2>/dev/null; do sleep 0.2; done"
    if "services.py" in line:
        return line
    if line.startswith("python "):
        program = line.partition("#")[0].rstrip(" &")
        return f"{program} & until curl -s -o /dev/null 127.0.0.1:{ports['8080']}; do sleep 0.1; done"
    if line.startswith("meshway register"):
        # A person starts it in another terminal, and has read the answer of the gateway before typing on.
        return f"{line} & until meshway call books/ >/dev/null 2>&1; do sleep 0.2; done"
    if line.startswith("for "):
        return f"began=$(date +%s%3N); {line}; echo took $(($(date +%s%3N) - began)) ms"
    if line.startswith("meshway apply") and "--yes" not in line:
        return f"{line} --yes"
    return f"{line} || [ $? = 1 ]" if line.startswith("meshway diff") else f"{line} || exit 9"
