"""Every command and health check of docker-compose.yml, run as plain processes: only the containers stay untried."""

from pathlib import Path

import httpx

from tests.parts.compose import Here
from tests.parts.conditions import wait_until


def test_all_services_start_turn_healthy_and_show_the_page(tmp_path: Path) -> None:
    here = Here(tmp_path)
    try:
        for name in ("registry", "gateway"):
            assert not here.is_healthy(name)
            process = here.start(name)
            wait_until(lambda n=name: here.is_healthy(n), 30, every_s=0.2, what=f"{name} healthy")  # type: ignore[misc]
        assert here.start("documents").popen.wait(30) == 0, here.processes["documents"].text()
        shop = [name for name, service in here.services.items() if "entrypoint" in service]
        for name in shop:
            here.start(name)
        for name in shop:
            process = here.processes[name]
            wait_until(lambda n=name: here.is_healthy(n), 60, every_s=0.2, what=f"{name} healthy")  # type: ignore[misc]
            assert process.is_running(), process.text()
        page = f"http://127.0.0.1:{here.ports['edge']}/productpage"
        wait_until(lambda: "★" in httpx.get(page, timeout=10).text, 30, every_s=0.2, what="the page with stars")
    finally:
        here.close()
