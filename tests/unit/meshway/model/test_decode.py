"""Documents are read whole or refused with every error at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshway.cli.output import yaml_stream
from meshway.formats.yaml_documents import read_documents
from meshway.model.decode import MAX_DOCUMENT, canonical, decode_document, decode_spec
from meshway.model.fields import struct_type
from meshway.model.kinds import KINDS
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.model.traffic_policy import TrafficPolicy
from meshway.problem import Problem
from meshway.units import Duration
from tests.parts.documents import documents

FIELDS = sorted(
    {"match", "path", "retry", "backoff", "base", "max", "rate", "prefix", "exact", "service", "weight", "name", "mesh"}
    | {field.encode_name for of in KINDS.values() for field in struct_type(of).fields}
)
ROUTE: dict[str, Any] = {"rules": [{"destinations": [{"service": "cart"}]}]}


def document(kind: object = "Route", spec: object = ROUTE, **members: Any) -> dict[str, Any]:
    metadata = {"name": "cart", "namespace": "shop"} | members.pop("metadata", {})
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": metadata, "spec": spec} | members


def refusal(raw: object) -> Problem:
    with pytest.raises(Problem) as refused:
        decode_document(raw)
    return refused.value


def found(raw: object) -> list[tuple[str, str]]:
    return [(error.path, error.code) for error in refusal(raw).errors]


def test_a_sound_document_is_read_with_its_spec() -> None:
    read, spec = decode_document(document())
    assert read.name == "Route shop/cart"
    assert isinstance(spec, Route)
    assert spec.rules[0].destinations[0].service == "cart"


def test_the_namespace_is_filled_in_where_none_is_written() -> None:
    raw = document()
    del raw["metadata"]["namespace"]
    assert decode_document(raw, "books")[0].metadata.namespace == "books"


def test_what_the_registry_answers_may_be_sent_back() -> None:
    metadata = {"revision": 7, "created_at": "2026-11-24T10:00:00Z", "updated_by": "lin", "updated_at": "x"}
    read, _ = decode_document(document(metadata=metadata))
    assert read.metadata.revision is None


def test_every_error_is_told_at_once_with_its_path() -> None:
    spec = {
        "hosts": ["shop.example:80"],
        "order": "as_listed",
        "rules": [
            {
                "match": [{"path": {"exact": "cart"}, "headers": {"x-v": 1.0}}],
                "destinations": [{"service": "cart", "weigth": 3}],
                "retry": {"max_retries": 11, "on": ["resett"], "backoff": {"base": 5}},
            },
            {"redirect": {}, "timeouts": {"deadline": "5x"}},
            3,
        ],
    }
    assert set(found(document(spec=spec, metadata={"lables": {}, "name": "A_b"}))) == {
        ("metadata.name", "bad_name"),
        ("metadata.lables", "unknown_field"),
        ("spec.hosts[0]", "bad_name"),
        ("spec.order", "out_of_bounds"),
        ("spec.rules[0].match[0].path.exact", "out_of_bounds"),
        ("spec.rules[0].match[0].headers.x-v", "wrong_type"),
        ("spec.rules[0].destinations[0].weigth", "unknown_field"),
        ("spec.rules[0].retry.max_retries", "out_of_bounds"),
        ("spec.rules[0].retry.on[0]", "out_of_bounds"),
        ("spec.rules[0].retry.backoff.base", "bad_duration"),
        ("spec.rules[1].redirect", "missing_field"),
        ("spec.rules[1].timeouts.deadline", "bad_duration"),
        ("spec.rules[2]", "wrong_type"),
    }


def test_errors_name_their_document_the_value_and_the_mend() -> None:
    (error,) = refusal(document(spec={"rules": [{"destinations": [{"service": "cart", "weigth": 3}]}]})).errors
    assert error.document == "Route shop/cart"
    assert error.message == "spec.rules[0].destinations[0].weigth: unknown field (did you mean weight?)"


@pytest.mark.parametrize(
    ("raw", "path", "code", "words"),
    [
        (document(kind="Routee"), "kind", "unknown_kind", "did you mean Route?"),
        (document(kind=3), "kind", "wrong_type", "not a kind"),
        (document(apiVersion="meshway/v2"), "apiVersion", "out_of_bounds", "meshway/v1"),
        (document(apiVersion="networking.istio.io/v1"), "apiVersion", "unsupported", "POST /v1/apply"),
        (document(status={}), "status", "unknown_field", "known: apiVersion"),
        (document(spec=None), "spec", "wrong_type", "empty"),
        (document(spec=[]), "spec", "wrong_type", "a list"),
        (document(metadata={"namespace": "mesh"}), "metadata.namespace", "forbidden_namespace", "no Route"),
        (document(metadata={"name": "cart\n"}), "metadata.name", "bad_name", "no name"),
        (document(metadata={"labels": {"team": "x" * 64}}), "metadata.labels.team", "out_of_bounds", "at most 63"),
        (document(metadata={"labels": {"-a b": "x"}}), 'metadata.labels["-a b"]', "bad_name", "no label name"),
        (document(metadata={"labels": {"v": 1}}), "metadata.labels.v", "wrong_type", "in quotes"),
        (
            document("Service", {"ports": [{"port": "8080"}]}),
            "spec.ports[0].port",
            "wrong_type",
            '"8080" is text, not a whole number: take it out of its quotes',
        ),
        (
            document(spec={"rules": [{"destinations": [{"service": "cart", "port": 8080}]}]}),
            "spec.rules[0].destinations[0].port",
            "wrong_type",
            "8080 is a number, not text: ports of a service are named here, not numbered",
        ),
        ([], "", "wrong_type", "apiVersion"),
        ({"kind": "Route"}, "apiVersion", "missing_field", "meshway/v1"),
    ],
)
def test_a_wrong_envelope_is_refused(raw: object, path: str, code: str, words: str) -> None:
    errors = {error.path: error for error in refusal(raw).errors}
    assert errors[path].code == code
    assert words in errors[path].message


def test_missing_members_are_all_named() -> None:
    assert [path for path, code in found({}) if code == "missing_field"] == ["apiVersion", "kind", "metadata", "spec"]


def test_a_document_above_256_kib_is_refused_as_too_large() -> None:
    raw = document("Service", {"description": "x" * MAX_DOCUMENT})
    problem = refusal(raw)
    assert (problem.status, problem.code) == (413, "too_large")


def test_what_is_no_plain_value_is_refused() -> None:
    assert refusal(document(spec={"rules": object()})).status == 422


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Service", {"ports": [{"port": 8080}], "subsets": [{"name": "v1", "match": {"version": "v1"}}]}),
        ("Route", {"hosts": ["*.shop.example"], "rules": [{"redirect": {"host": "shop.example", "status": 301}}]}),
        ("TrafficPolicy", {"timeouts": {"deadline": "1m30s"}, "retry": {"statuses": [503], "buffer": "64KiB"}}),
        ("RateLimit", {"key": ["header.x-key"], "token_bucket": {"rate": "100/m", "burst": 200}}),
    ],
)
def test_the_canonical_form_reads_back_to_itself(kind: str, spec: dict[str, Any]) -> None:
    read, errors = decode_spec(kind, spec)
    assert errors == []
    assert read is not None
    assert canonical(read) == spec
    assert decode_spec(kind, canonical(read))[0] == read


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(data=st.data())
def test_what_is_exported_is_unchanged_when_it_is_applied(kind: str, data: st.DataObject) -> None:
    written = data.draw(documents(kind))
    document, spec = decode_document(written)
    exported = {
        "apiVersion": document.api_version,
        "kind": kind,
        "metadata": written["metadata"],
        "spec": document.spec,
    }
    (read,) = read_documents(yaml_stream([exported]))
    assert read.raw == exported
    again, same = decode_document(read.raw)
    assert again.spec == document.spec
    assert same == spec


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("TrafficPolicy", {"bulkhead": {"max_requests": 10**30}}, "spec.bulkhead.max_requests"),
        ("RateLimit", {"token_bucket": {"rate": "5/s", "burst": 2**64}}, "spec.token_bucket.burst"),
        ("RateLimit", {"token_bucket": {"rate": "9" * 400 + "/s"}}, "spec.token_bucket.rate"),
        ("RateLimit", {"token_bucket": {"rate": "0.0000001/s"}}, "spec.token_bucket.rate"),
        ("TrafficPolicy", {"timeouts": {"deadline": "9" * 400 + "h"}}, "spec.timeouts.deadline"),
        ("TrafficPolicy", {"retry": {"buffer": "9" * 400}}, "spec.retry.buffer"),
    ],
)
def test_a_number_no_reader_could_carry_is_refused_with_its_path(kind: str, spec: dict[str, Any], path: str) -> None:
    assert [at for at, _ in found(document(kind, spec))] == [path]


def test_equal_specs_have_equal_canonical_forms() -> None:
    one, _ = decode_spec("TrafficPolicy", {"timeouts": {"deadline": "90s"}, "targets": []})
    two, _ = decode_spec("TrafficPolicy", {"timeouts": {"deadline": "1m30s", "idle": None}})
    assert one is not None
    assert two is not None
    assert canonical(one) == canonical(two) == {"timeouts": {"deadline": "1m30s"}}


def test_units_are_held_as_numbers() -> None:
    policy, _ = decode_spec("TrafficPolicy", {"timeouts": {"deadline": "250ms"}})
    assert isinstance(policy, TrafficPolicy)
    assert policy.timeouts is not None
    assert policy.timeouts.deadline == Duration(0.25)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5s", "64KiB", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(kind=st.sampled_from(sorted(KINDS)), spec=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6))
def test_whatever_is_written_is_read_or_refused_with_reasons(kind: str, spec: dict[str, Any]) -> None:
    read, errors = decode_spec(kind, spec)
    assert (read is None) == bool(errors)
    if read is not None:
        assert decode_spec(kind, canonical(read)) == (read, [])


def test_a_service_may_say_nothing() -> None:
    service, errors = decode_spec("Service", {})
    assert errors == []
    assert service == Service()
