"""What the command tells of where documents were written."""

from pathlib import Path

import pytest

from meshway.cli.sources import lines_of, source_text, sources, told_file
from meshway.cli.written_files import read_files
from meshway.model.document_source import MOST_LINES

ROUTE = """\
# the shop
apiVersion: meshway/v1
kind: Route
metadata: {name: cart}
spec:
  hosts: [shop.example]
  rules:
    - destinations: [{service: cart}]
    - match: [{path: {prefix: /a}}]
      destinations:
        - {service: cart}
        - service: cart
          subset: v2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_document_is_told_with_its_file_and_lines(folder: Path) -> None:
    (folder / "cart.yaml").write_text(ROUTE + "---\n" + ROUTE.replace("name: cart", "name: again"))
    first, again = sources(read_files(["cart.yaml"], "shop"))
    assert {name: first[name] for name in ("kind", "namespace", "name")} == {
        "kind": "Route", "namespace": "shop", "name": "cart",
    }  # fmt: skip
    assert (first["source"]["file"], first["source"]["line"]) == ("cart.yaml", 2)
    assert (again["name"], again["source"]["line"]) == ("again", 16)


def test_only_lines_that_are_not_those_of_the_block_around_are_told(folder: Path) -> None:
    (folder / "cart.yaml").write_text(ROUTE)
    (document,) = read_files(["cart.yaml"], "shop")
    lines = lines_of(document)
    assert (lines["spec"], lines["spec.rules[0]"], lines["spec.rules[1]"]) == (5, 8, 9)
    assert lines["spec.rules[1].destinations[1].subset"] == 13
    assert not {path for path in lines if path.startswith("spec.rules[1].match")}, "on the line of its rule"


def test_of_a_long_document_the_outer_lines_are_told(folder: Path) -> None:
    rule = "    - match:\n      - methods: [GET]\n      destinations:\n      - service: cart\n"
    (folder / "long.yaml").write_text(ROUTE.partition("    - dest")[0] + rule * 128)
    (document,) = read_files(["long.yaml"], "shop")
    lines = lines_of(document)
    assert len(lines) == MOST_LINES
    assert all(f"spec.rules[{n}]" in lines for n in range(128))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("shop/cart.yaml", "shop/cart.yaml"),
        ("./shop/../cart.yaml", "cart.yaml"),
        ("/etc/meshway/cart.yaml", "cart.yaml"),
        ("../cart.yaml", "cart.yaml"),
        ("a:b.yaml", "a_b.yaml"),
        ("stdin", "stdin"),
    ],
)
def test_paths_of_the_machine_are_not_told(file: str, told: str) -> None:
    assert told_file(file) == told


def test_a_file_below_the_folder_is_told_by_its_way_also_when_named_whole(folder: Path) -> None:
    assert told_file(str(folder / "shop" / "cart.yaml")) == "shop/cart.yaml"


def test_a_document_that_nobody_wrote_has_its_revision_only() -> None:
    assert source_text({"name": "cart", "revision": 8}) == "r8"
    assert source_text({"revision": 8, "source": {"file": "a.yaml", "line": 2}}) == "a.yaml:2 r8"
    assert source_text({"name": "cart"}) == ""
