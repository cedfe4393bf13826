"""A gateway of a checkout beside its machine code: what its workers run, as they say it and as it lies in their memory.

Needs what `make compiled` made, which `make test` does before.
"""

import shutil
from pathlib import Path

import pytest

from gateway.hot_path import COMPILED, FOLDER, INTERPRETED, PACKAGES
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.processes import ROOT
from tools.compiled import is_current

pytestmark = pytest.mark.skipif(not is_current(), reason="no machine code of these sources: `make compiled` makes it")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """These sources, beside the machine code that is of them."""
    folder = tmp_path / "checkout"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / FOLDER.parent).mkdir()
    (folder / FOLDER).symlink_to(ROOT / FOLDER)
    return folder


async def run(checkout: Path, folder: Path) -> tuple[str, str, str]:
    """What its gateway says as it is ready and in its metrics, and what its worker has mapped."""
    async with Feed() as feed:
        feed.commit()
        gateway = GatewayProcess(folder, feed.url, workers=1)
        gateway.program = f"import os\nos.chdir({str(checkout)!r})\nos.environ['PYTHONPATH'] = os.getcwd()\n"
        async with gateway:
            (worker,) = await gateway.worker_pids()
            metrics = (await gateway.client.get(f"{gateway.admin}/metrics")).text
            return gateway.text(), metrics, Path(f"/proc/{worker}/maps").read_text()


async def test_a_checkout_runs_the_machine_code_of_its_sources(checkout: Path, tmp_path: Path) -> None:
    said, metrics, mapped = await run(checkout, tmp_path)
    assert f"hot path {COMPILED}\n" in said
    assert f'hot_path="{COMPILED}"' in metrics
    # All modules are in one library; whether one's own file is mapped besides depends on who imports it first.
    assert str(ROOT / FOLDER / "meshway__mypyc") in mapped


async def test_a_checkout_whose_sources_were_changed_leaves_its_machine_code_alone(
    checkout: Path, tmp_path: Path
) -> None:
    with (checkout / "gateway" / "exchange.py").open("a") as source:
        source.write("# changed\n")
    said, metrics, mapped = await run(checkout, tmp_path)
    assert f"hot path {INTERPRETED}: " in said
    assert "`make compiled` makes it anew" in said
    assert f'hot_path="{INTERPRETED}"' in metrics
    assert str(ROOT / FOLDER) not in mapped
