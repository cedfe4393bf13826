"""What must hold in the blocks of a rule: a table of Routes and what is wrong with each."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec

TO = {"destinations": [{"service": "cart"}]}


def compared(**fields: Any) -> dict[str, Any]:
    return rule(mirror=[{"destination": {"service": "b"}, "compare": fields}])


def rule(**fields: Any) -> dict[str, Any]:
    return {"rules": [TO | fields]}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (
        {"rules": [{"respond": {"status": 200}, "redirect": {"host": "a.example"}}]},
        "spec.rules[0]",
        "forbidden_combination",
    ),
    ({"rules": [{"respond": {"status": 199}}]}, "spec.rules[0].respond.status", "out_of_bounds"),
    ({"rules": [{"respond": {"status": 204, "body": "x"}}]}, "spec.rules[0].respond.body", "forbidden_combination"),
    ({"rules": [{"respond": {"status": 200, "body": "x" * 65_537}}]}, "spec.rules[0].respond.body", "too_large"),
    (
        {"rules": [{"respond": {"status": 200, "content_type": "a\nb"}}]},
        "spec.rules[0].respond.content_type",
        "out_of_bounds",
    ),
    ({"rules": [{"respond": {"status": 200}, "timeouts": {}}]}, "spec.rules[0].timeouts", "forbidden_combination"),
    (
        {"rules": [{"respond": {"status": 200}, "response_headers": {"remove": ["a"]}}]},
        "spec.rules[0].response_headers.remove",
        "forbidden_combination",
    ),
    (rule(request_body={"max": "1 MB"}), "spec.rules[0].request_body.max", "bad_size"),
    (rule(fault={}), "spec.rules[0].fault", "missing_field"),
    (rule(fault={"delay": {"fixed": "61s"}}), "spec.rules[0].fault.delay.fixed", "out_of_bounds"),
    (rule(fault={"delay": {"fixed": "1s", "percent": 101}}), "spec.rules[0].fault.delay.percent", "out_of_bounds"),
    (rule(fault={"abort": {}}), "spec.rules[0].fault.abort", "forbidden_combination"),
    (rule(fault={"abort": {"status": 500, "grpc_status": 1}}), "spec.rules[0].fault.abort", "forbidden_combination"),
    (rule(fault={"abort": {"grpc_status": 17}}), "spec.rules[0].fault.abort.grpc_status", "out_of_bounds"),
    (rule(fault={"abort": {"status": 500}, "until": "soon"}), "spec.rules[0].fault.until", "out_of_bounds"),
    (
        rule(fault={"abort": {"status": 500}, "match": {"path": {"prefix": "/a"}}}),
        "spec.rules[0].fault.match.path",
        "forbidden_combination",
    ),
    (
        rule(fault={"abort": {"status": 500}, "match": {"header": {}}}),
        "spec.rules[0].fault.match.header",
        "unknown_field",
    ),
    (rule(mirror=[{}]), "spec.rules[0].mirror[0].destination", "missing_field"),
    (compared(status=False), "spec.rules[0].mirror[0].compare", "missing_field"),
    (compared(latency="2m"), "spec.rules[0].mirror[0].compare.latency", "out_of_bounds"),
    (compared(json_fields=["a..b"]), "spec.rules[0].mirror[0].compare.json_fields[0]", "out_of_bounds"),
    (rule(mirror=[{"destination": {"service": "b"}}] * 4), "spec.rules[0].mirror", "out_of_bounds"),
    (
        {"rules": [{"respond": {"status": 200}, "mirror": [{"destination": {"service": "b"}}]}]},
        "spec.rules[0].mirror",
        "forbidden_combination",
    ),
    (rule(compression={"encodings": ["deflate"]}), "spec.rules[0].compression.encodings[0]", "out_of_bounds"),
    (rule(compression={"encodings": ["br", "gzip", "br"]}), "spec.rules[0].compression.encodings[2]", "duplicate"),
    (rule(compression={"encodings": []}), "spec.rules[0].compression.encodings", "out_of_bounds"),
    (rule(deprecation={"link": "https://a.example"}), "spec.rules[0].deprecation", "missing_field"),
    (rule(deprecation={"since": "2026"}), "spec.rules[0].deprecation.since", "out_of_bounds"),
    (
        rule(deprecation={"since": "2026-02-01", "sunset": "2026-01-01"}),
        "spec.rules[0].deprecation.sunset",
        "forbidden_combination",
    ),
    (rule(deprecation={"since": "2026-01-01", "link": "/v2"}), "spec.rules[0].deprecation.link", "out_of_bounds"),
    (
        rule(deprecation={"since": "2026-01-01", "link": "https://a.example\n"}),
        "spec.rules[0].deprecation.link",
        "out_of_bounds",
    ),
    (
        rule(rewrite={"host": "a.example", "host_from_header": "x-host"}),
        "spec.rules[0].rewrite.host_from_header",
        "forbidden_combination",
    ),
    (rule(rewrite={"host_from_header": "x host"}), "spec.rules[0].rewrite.host_from_header", "bad_name"),
    (rule(retry={"grpc_codes": [0]}), "spec.rules[0].retry.grpc_codes[0]", "out_of_bounds"),
]


@pytest.mark.parametrize(("spec", "path", "code"), WRONG, ids=[f"{path}-{code}" for _, path, code in WRONG])
def test_it_is_refused_at_its_path(spec: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec("Route", spec)
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(path, code)]


@pytest.mark.parametrize(
    ("sticky", "path", "code"),
    [
        ({"key": "principal"}, ".key", "unsupported"),
        ({"key": "cooky", "name": "a"}, ".key", "out_of_bounds"),
        ({"key": "cookie"}, ".name", "missing_field"),
        ({"key": "source_ip", "name": "a"}, ".name", "forbidden_combination"),
        ({"key": "header", "name": "a b"}, ".name", "bad_name"),
        ({"key": "query", "name": "a", "cookie": {}}, ".cookie", "forbidden_combination"),
        ({"key": "cookie", "name": "a", "cookie": {"path": "/;x"}}, ".cookie.path", "out_of_bounds"),
        (
            {"key": "cookie", "name": "a", "cookie": {"same_site": "none", "secure": "never"}},
            ".cookie.same_site",
            "forbidden_combination",
        ),
        ({"key": "cookie", "name": "a", "cookie": {"ttl": "10ms"}}, ".cookie.ttl", "out_of_bounds"),
    ],
)
def test_what_cannot_stick_is_refused_at_its_path(sticky: dict[str, Any], path: str, code: str) -> None:
    destinations = [{"service": "books", "subset": version} for version in ("v1", "v2")]
    read, errors = decode_spec("Route", {"rules": [{"destinations": destinations, "sticky": sticky}]})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(f"spec.rules[0].sticky{path}", code)]


def test_a_redirect_sticks_to_nothing() -> None:
    _, errors = decode_spec("Route", {"rules": [{"redirect": {"scheme": "https"}, "sticky": {"key": "source_ip"}}]})
    assert [(error.path, error.code) for error in errors] == [("spec.rules[0].sticky", "forbidden_combination")]


TEMPLATE = {"path": {"template": "/books/{id}"}}
NEW_PATHS: list[tuple[dict[str, Any], str, str]] = [
    ({"template": "/v2"}, ".template", "bad_template"),
    ({"template": "/v2/{id"}, ".template", "bad_template"),
    ({"template": "/v2/{other}"}, ".template", "forbidden_combination"),
    ({"template": "/v2/{id}#a"}, ".template", "out_of_bounds"),
    ({"template": "v2/{id}"}, ".template", "out_of_bounds"),
    ({"full": "/v2", "template": "/v2/{id}"}, "", "forbidden_combination"),
    ({"full": "/v2?a=é"}, ".full", "out_of_bounds"),
    ({"full": "/v2?a=b c"}, ".full", "out_of_bounds"),
    ({"full": "/v2#a"}, ".full", "out_of_bounds"),
    ({"prefix": "/v2?a=b"}, ".prefix", "out_of_bounds"),
    ({"regex": "/a"}, ".substitution", "missing_field"),
    ({"full": "/a", "substitution": "/b"}, ".substitution", "forbidden_combination"),
    ({"regex": "(", "substitution": "/b"}, ".regex", "bad_regex"),
    ({"regex": "/(a)", "substitution": r"\2"}, ".substitution", "bad_template"),
    ({"regex": "/(a)", "substitution": r"\x"}, ".substitution", "bad_template"),
    ({"regex": "/a", "substitution": "/b?c=d"}, ".substitution", "out_of_bounds"),
]


@pytest.mark.parametrize("field", ["rewrite", "redirect"])
@pytest.mark.parametrize(("path", "at", "code"), NEW_PATHS, ids=[f"{at}-{code}" for _, at, code in NEW_PATHS])
def test_a_new_path_that_cannot_be_is_refused_at_its_path(field: str, path: dict[str, Any], at: str, code: str) -> None:
    spec = {"match": [TEMPLATE], field: {"path": path}} | (TO if field == "rewrite" else {})
    read, errors = decode_spec("Route", {"rules": [spec]})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(f"spec.rules[0].{field}.path{at}", code)]


def test_names_are_those_that_every_match_has() -> None:
    path = {"path": {"template": "/v2/{id}"}}
    for match, count in (([TEMPLATE], 0), ([TEMPLATE, {"path": {"prefix": "/a"}}], 1), ([], 1)):
        _, errors = decode_spec("Route", {"rules": [TO | {"match": match, "rewrite": path}]})
        assert len(errors) == count
