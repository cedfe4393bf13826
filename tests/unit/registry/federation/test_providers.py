"""The file that names whom a registry believes of people and programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.federation.providers import read_providers
from registry.settings import StartRefused

CI = {"name": "ci", "issuer": "https://ci.example", "audiences": ["meshway"]}
CORP = {"name": "corp", "issuer": "https://id.example", "client_id": "mesh", "client_secret_file": "secret"}


def read(folder: Path, *providers: dict[str, Any], url: str = "https://registry.example:8500") -> Any:
    file = folder / "oidc.yaml"
    file.write_text(json.dumps({"url": url, "providers": providers}))
    return read_providers(file)


def test_people_s_and_programs_issuers_stand_beside_each_other(tmp_path: Path) -> None:
    assert [one.name for one in read(tmp_path, CORP, CI).providers] == ["corp", "ci"]
    near = CORP | {"issuer": "http://127.0.0.1:9000"}
    assert read(tmp_path, near, url="http://localhost:8500").url == "http://localhost:8500"


@pytest.mark.parametrize(
    ("providers", "url", "named"),
    [
        ([CORP, CI | {"name": "corp"}], "https://r.example", "name"),
        ([CORP, CI | {"issuer": CORP["issuer"]}], "https://r.example", "issuer"),
        ([CORP | {"issuer": "http://id.example"}], "https://r.example", "is http"),
        ([CORP | {"issuer": "id.example"}], "https://r.example", "no URL"),
        ([CORP | {"client_secret_file": ""}], "https://r.example", "come together"),
        ([CI | {"audiences": []}], "https://r.example", "of no use"),
        ([CORP | {"audiences": ["api", "mesh"]}], "https://r.example", "holds client_id"),
        ([CORP | {"scopes": ["email"]}], "https://r.example", "openid"),
        ([CORP], "", "url: is missing"),
        ([CORP], "http://r.example", "without TLS"),
        ([CORP], "https://r.example/mesh", "has a path"),
        ([CORP | {"clientid": "x"}], "https://r.example", "clientid"),
        ([CORP | {"name": "A B"}], "https://r.example", "name"),
        ([], "https://r.example", "providers"),
    ],
)
def test_what_nobody_could_be_believed_by_stops_the_start(
    tmp_path: Path, providers: list[dict[str, Any]], url: str, named: str
) -> None:
    with pytest.raises(StartRefused, match=named):
        read(tmp_path, *providers, url=url)


def test_a_file_that_is_none_stops_the_start(tmp_path: Path) -> None:
    for text in ("", "a: [", "url: x\n---\nurl: y\n"):
        (tmp_path / "oidc.yaml").write_text(text)
        with pytest.raises(StartRefused):
            read_providers(tmp_path / "oidc.yaml")
    with pytest.raises(StartRefused, match="cannot read"):
        read_providers(tmp_path / "none.yaml")
