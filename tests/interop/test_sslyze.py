"""Both TLS listeners before sslyze, in an environment of its own since its pins are not ours; `make interop`.

Its report of a run is docs/security/sslyze.md.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from meshway.tls import SUITES
from tests.parts.authority import Authority
from tests.parts.changes import document
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.processes import ROOT

pytestmark = pytest.mark.interop

VERSION: Final = "6.3.1"
INSTALL_S: Final = 300.0
SCAN_S: Final = 300.0
FORBIDDEN: Final = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1")
SCANS: Final = (
    "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--compression", "--reneg", "--resum",
    "--early_data", "--fallback", "--heartbleed", "--openssl_ccs", "--robot", "--elliptic_curves",
)  # fmt: skip


@pytest.fixture(scope="module")
def sslyze() -> Path:
    home = ROOT / "build" / f"sslyze-{VERSION}"
    command = home / "bin" / "sslyze"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(home / "bin" / "pip"), "install", "-q", f"sslyze=={VERSION}"]
        made = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if made.returncode:
            pytest.skip(f"sslyze cannot be installed: {made.stderr.strip().splitlines()[-1:]}")
    return command


def scan(command: Path, url: str, folder: Path) -> dict[str, Any]:
    """The result of each scan by its name."""
    told = folder / "sslyze.json"
    target = url.removeprefix("https://").replace("127.0.0.1", "localhost")
    asked = [str(command), *SCANS, "--mozilla_config=disable", f"--json_out={told}", target]
    subprocess.run(asked, check=True, timeout=SCAN_S, capture_output=True)
    [server] = json.loads(told.read_text())["server_scan_results"]
    assert server["scan_status"] == "COMPLETED", server
    return {name: each["result"] for name, each in server["scan_result"].items() if each and each.get("result")}


def accepted(found: dict[str, Any], version: str) -> list[str]:
    suites = found[f"{version}_cipher_suites"]["accepted_cipher_suites"]
    return [suite["cipher_suite"]["openssl_name"] for suite in suites]


@pytest.mark.parametrize("listener", ["edge_tls", "mesh_tls"])
async def test_sslyze_finds_nothing_weak(sslyze: Path, tmp_path: Path, listener: str) -> None:
    issued = Authority().issue("localhost")
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "a.pem").write_bytes(issued.certificate)
    (folder / "a.key").write_bytes(issued.key)
    files = {"certificate": "a.pem", "key": "a.key"}
    async with Feed() as feed:
        feed.commit(document("Certificate", "a", {"files": files, "listeners": ["edge-tls", "mesh-tls"]}, "mesh"))
        async with GatewayProcess(tmp_path, feed.url, workers=1, certificates_dir=str(folder)) as gateway:
            found = await asyncio.to_thread(scan, sslyze, getattr(gateway, listener), tmp_path)
    assert {version: accepted(found, version) for version in FORBIDDEN} == {version: [] for version in FORBIDDEN}
    assert accepted(found, "tls_1_2")
    assert set(accepted(found, "tls_1_2")) <= set(SUITES.split(":"))
    assert accepted(found, "tls_1_3")
    assert found["tls_compression"]["supports_compression"] is False
    assert found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"] is False
    assert found["tls_1_3_early_data"]["supports_early_data"] is False
    assert found["tls_fallback_scsv"]["supports_fallback_scsv"] is True
    assert found["heartbleed"]["is_vulnerable_to_heartbleed"] is False
    assert found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"] is False
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
