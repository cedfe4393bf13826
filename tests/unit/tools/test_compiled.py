"""What a module of the hot path must be, to become machine code that does the same; `make compiled` does it."""

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.hot_path import PACKAGES
from tests.parts.processes import ROOT
from tools.compiled import MODULES, OF_C, digest_of_c, take_over

TREES: Final = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def classes(module: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(TREES[module]) if isinstance(node, ast.ClassDef))


def bases(node: ast.ClassDef) -> set[str]:
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return {ast.unparse(base).rpartition(".")[2] for base in plain}


def test_every_module_is_there() -> None:
    assert [module for module in MODULES if module not in TREES] == []


def test_interpreted_and_compiled_classes_are_not_made_of_each_other() -> None:
    """The interpreter refuses it, when it comes to that line. Protocols are no bases at all."""
    made = {node.name: (module, node) for module in TREES for node in classes(module) if "Protocol" not in bases(node)}
    wrong = [
        f"{module}: {name} is made of {base}"
        for name, (module, node) in made.items()
        for base in bases(node) & made.keys()
        if (module in MODULES) != (made[base][0] in MODULES)
    ]
    assert wrong == [], "list both modules in tools/compiled.py, or take the class out of the one that is there"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_nothing_that_a_compiler_takes_otherwise(module: str) -> None:
    structs = [node.name for node in classes(module) if "Struct" in bases(node)]
    assert structs == [], "msgspec reads annotations, of which a compiled class keeps only the outermost name"
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Attribute):
            assert node.attr != "__slots__", f"line {node.lineno}: a compiled class has none"
        if isinstance(node, ast.Try):
            names = [handler.name for handler in node.handlers if handler.name is not None]
            assert len(names) == len(set(names)), f"line {node.lineno}: a name has the type of its first exception"


@pytest.mark.parametrize("changed", ["", "written", "level", "compiler", "no digest", "no code"])
def test_only_machine_code_of_the_same_c_by_the_same_compiler_is_taken_over(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c, before, folder = (tmp_path / name for name in ("c", "before", "folder"))
    for each in (c, before / "gateway", folder / "gateway"):
        each.mkdir(parents=True)
    (c / "exchange.c").write_text("int one;")
    made = f"exchange{sysconfig.get_config_var('EXT_SUFFIX')}"
    if changed != "no code":
        (before / "gateway" / made).write_bytes(b"machine code")
    if changed != "no digest":
        (before / OF_C).write_text(digest_of_c(c, "1"))
    if changed == "written":
        (c / "exchange.c").write_text("int two;")
    elif changed == "compiler":
        other = tmp_path / "cc"
        other.write_text("#!/bin/sh\necho cc 99\n")
        other.chmod(0o755)
        monkeypatch.setitem(sysconfig.get_config_vars(), "CC", str(other))
    of_c = digest_of_c(c, "2" if changed == "level" else "1")
    assert take_over(before, folder, of_c, [f"gateway/{made}"]) == (not changed)
    assert (folder / "gateway" / made).exists() == (not changed)
