import msgspec
import pytest

from meshway.model.document import DEFAULT_NAMESPACE, Document, Metadata


@pytest.mark.parametrize("metadata", [Metadata(name="cart"), Metadata(name="cart", namespace=DEFAULT_NAMESPACE)])
def test_a_document_says_where_it_lives_also_in_the_default_namespace(metadata: Metadata) -> None:
    encoded = msgspec.json.decode(msgspec.json.encode(Document(kind="Service", metadata=metadata, spec={})))
    assert encoded["metadata"] == {"name": "cart", "namespace": "default"}


def test_a_document_without_a_namespace_lives_in_the_default_one() -> None:
    assert msgspec.json.decode(b'{"name": "cart"}', type=Metadata).namespace == "default"
