"""Names on both sides."""

import pytest

from registry.compat.consul.names import label_of, namespace_of, service_of
from registry.compat.consul.refusals import Refusal


def test_what_can_stay_stays_and_the_rest_is_readable_and_apart() -> None:
    assert service_of("Books") == "books"
    assert label_of("books-1") == "books-1"
    assert label_of("Books-1") != label_of("books:1") != "books-1"
    assert namespace_of("shop") == "shop"


@pytest.mark.parametrize("name", ["a_b", "", "-a", "x" * 64, "a.b"])
def test_a_service_or_namespace_that_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="Invalid service name"):
        service_of(name)
    with pytest.raises(Refusal, match="Invalid namespace"):
        namespace_of(name)
    with pytest.raises(Refusal, match="Invalid service ID"):
        label_of("x" * 300)
