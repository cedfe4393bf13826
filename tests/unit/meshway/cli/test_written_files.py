"""Files are judged here, with file, line and column, all errors of all files at once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from meshway.cli.failure import INVALID, NOT_FOUND, CliError
from meshway.cli.written_files import FileDocument, place_errors, read_files, read_import
from meshway.problem import FieldError

CART = """\
apiVersion: meshway/v1
kind: Route
metadata: {name: cart}
spec:
  rules:
    - destinations: [{service: cart}]
"""


def refusal(*paths: Path) -> CliError:
    with pytest.raises(CliError) as refused:
        read_files([str(path) for path in paths], "shop")
    return refused.value


def test_documents_of_files_and_folders_get_their_namespace(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yaml").write_text(CART)
    (tmp_path / "deep" / "b.json").write_text(
        '{"apiVersion":"meshway/v1","kind":"Service","metadata":{"name":"cart"},"spec":{}}'
    )
    (tmp_path / "notes.txt").write_text("no document")
    assert [document.name for document in read_files([str(tmp_path)], "shop")] == [
        "Route shop/cart",
        "Service shop/cart",
    ]


def test_every_error_of_every_file_is_told_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CART.replace("destinations", "destination"))
    (tmp_path / "b.yaml").write_text(
        CART.replace("service: cart", "service: cart, wait: 1").replace("cart}\n", "c_t}\n")
    )
    (tmp_path / "c.yaml").write_text("a: [")
    error = refusal(tmp_path)
    assert error.code == INVALID
    assert error.what == "4 errors in 3 files; nothing was published"
    a, b1, b2, c = error.details
    assert a == (f"{tmp_path}/a.yaml:6:7: spec.rules[0].destination: unknown field (did you mean destinations?)")
    assert b1.startswith(f'{tmp_path}/b.yaml:3:12: metadata.name: "c_t" is no name')
    assert b2.startswith(f"{tmp_path}/b.yaml:6:38: spec.rules[0].destinations[0].wait: unknown field")
    assert c.startswith(f"{tmp_path}/c.yaml:")


def test_a_file_of_others_documents_alone_is_told_apart_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n")
    (tmp_path / "b.yaml").write_text("")
    assert refusal(tmp_path / "a.yaml").what == f"no documents of Meshway, and none to convert, in {tmp_path}/a.yaml"
    assert refusal(tmp_path / "b.yaml").what == f"no documents in {tmp_path}/b.yaml"


def test_a_document_written_twice_names_the_first_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CART + "---\n" + CART)
    assert refusal(tmp_path / "a.yaml").details == (
        f"{tmp_path}/a.yaml:10:12: Route shop/cart is written already at {tmp_path}/a.yaml:3",
    )


@pytest.mark.parametrize("name", ["absent.yaml", "empty-folder"])
def test_what_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty-folder").mkdir()
    assert refusal(tmp_path / name).code == NOT_FOUND


def test_a_folder_that_goes_away_while_it_is_read_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rglob(_: Path, __: str) -> Sequence[Path]:
        raise FileNotFoundError(2, "No such file or directory", "gone")

    monkeypatch.setattr(Path, "rglob", rglob)
    refused = refusal(tmp_path)
    assert (refused.code, refused.what) == (NOT_FOUND, "cannot read gone: No such file or directory")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(tmp_path / "a.yaml").what


def test_a_file_without_documents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert refusal(tmp_path / "a.yaml").code == INVALID


def test_the_registrys_errors_get_the_places_of_our_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CART + "---\n" + CART.replace("name: cart", "name: other"))
    documents = read_files([str(tmp_path / "a.yaml")], "shop")
    placed = place_errors(
        documents,
        [
            FieldError(
                document="Route shop/other", path="spec.rules[0].destinations[0].service", code="x", message="m"
            ),
            FieldError(document="Route shop/third", path="spec", code="x", message="m"),
        ],
    )
    assert [error.text for error in placed] == [f"{tmp_path}/a.yaml:13:23: m", "registry: Route shop/third: m"]


def test_references_of_sound_parts_are_asked_for_but_not_to_documents_with_errors(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        CART.replace("rules:", "hosst: [a]\n  rules:") + "---\n"
        "apiVersion: meshway/v1\nkind: Service\nmetadata: {name: cart}\nspec: {owner: me, subset: []}\n---\n"
        "apiVersion: meshway/v1\nkind: TrafficPolicy\nmetadata: {name: p}\n"
        "spec: {targets: [{service: cart}, {service: gone}], retry: {max_retries: 1}}\n"
    )
    asked: list[str] = []

    def unknown(documents: Sequence[FileDocument]) -> list[FieldError]:
        asked.extend(document.name for document in documents)
        paths = {
            "Route shop/cart": "spec.rules[0].destinations[0].service",
            "TrafficPolicy shop/p": "spec.targets[1].service",
        }
        return [
            FieldError(path=path, code="unknown_reference", message=path, document=document)
            for document, path in paths.items()
        ]

    with pytest.raises(CliError) as refused:
        read_import([str(tmp_path)], "shop", unknown=unknown)
    assert sorted(asked) == ["Route shop/cart", "Service shop/cart", "TrafficPolicy shop/p"]
    places = [line.split("a.yaml:")[1].split(": ")[0] for line in refused.value.details]
    assert places == ["5:3", "12:19", "17:36"]  # the Service is there, only not sound


def test_an_entry_of_a_list_that_refers_to_nothing_is_told_beside_other_errors(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        CART.replace("rules:", "hosst: [a]\n  rules:") + "---\n"
        "apiVersion: meshway/v1\nkind: Listener\nmetadata: {name: bytes, namespace: mesh}\nspec: {prot: 1}\n---\n"
        "apiVersion: meshway/v1\nkind: TcpRoute\nmetadata: {name: db}\n"
        "spec: {listeners: [bytes, gone], destinations: [{service: db}]}\n"
    )

    def unknown(documents: Sequence[FileDocument]) -> list[FieldError]:
        return [
            FieldError(path=path, code="unknown_reference", message=path, document="TcpRoute shop/db")
            for path in ("spec.listeners[0]", "spec.listeners[1]")
        ]

    with pytest.raises(CliError) as refused:
        read_import([str(tmp_path)], "shop", unknown=unknown)
    told = [line.split(": ", 1)[1] for line in refused.value.details]
    assert "spec.listeners[1]" in told
    assert "spec.listeners[0]" not in told  # that Listener is there, only not sound
