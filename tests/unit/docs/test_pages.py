"""What the pages show is true: documents are accepted, Python compiles, links and named files exist."""

import re
from pathlib import Path

import pytest

from meshway.formats.yaml_documents import read_documents
from meshway.model.decode import decode_document
from tests.parts.processes import ROOT
from tests.parts.prose import PAGES, blocks, links

IDS = [str(page.relative_to(ROOT)) for page in PAGES]
_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|yml|toml|json))`")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_documents_on_a_page_are_accepted_as_written(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml" and "kind:" in block.text:
            for written in read_documents(block.text):
                decode_document(written.raw)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_python_on_a_page_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in links(page) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT or "internals" in page.parts], ids=str)
def test_files_a_page_names_exist(page: Path) -> None:
    named = [name for name in _FILE.findall(page.read_text()) if "NAME" not in name and "YYYY" not in name]
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_there_are_pages() -> None:
    assert len(PAGES) >= 12
