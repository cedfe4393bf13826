"""The documents of the examples are accepted as they stand."""

from pathlib import Path

import pytest

from meshway.formats.yaml_documents import read_documents
from meshway.model.decode import decode_document
from meshway.model.traffic_policy import TrafficPolicy
from tests.parts.processes import ROOT

# Documents of other meshes are tried by a gateway: tests/end_to_end/test_istio_example.py.
FILES = [file for file in sorted(ROOT.glob("examples/**/*.yaml")) if file.parent.name != "istio"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_example_document_is_accepted(file: Path) -> None:
    written = read_documents(file.read_text())
    assert written
    for document in written:
        decode_document(document.raw)


def policy_of(name: str) -> TrafficPolicy:
    for file in FILES:
        for written in read_documents(file.read_text()):
            document, spec = decode_document(written.raw)
            if document.name == name:
                assert isinstance(spec, TrafficPolicy)
                return spec
    raise AssertionError(f"there is no {name}")


def test_the_book_shop_says_how_its_services_are_called() -> None:
    shop, page = policy_of("TrafficPolicy bookinfo/shop"), policy_of("TrafficPolicy bookinfo/productpage")
    assert shop.timeouts
    assert shop.retry
    assert shop.health_check
    assert page.timeouts
    assert shop.timeouts.attempt == 1.0
    assert {"reset", "attempt_timeout", "connect_failure"} <= set(shop.retry.on or ())
    assert (shop.health_check.path, shop.health_check.interval) == ("/health", 1.0)
    # The page waits for reviews, which may be tried three times; else it would be repeated while they still try.
    assert (page.timeouts.attempt or 0) > shop.timeouts.attempt * (1 + (shop.retry.max_retries or 0))
