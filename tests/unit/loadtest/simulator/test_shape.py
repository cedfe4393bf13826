import pytest

from loadtest.simulator.shape import shape_of


def test_the_mesh_has_the_sizes_that_were_asked_for_and_no_circles() -> None:
    shape = shape_of(60, 150, 200)
    assert (len(shape.services), len(shape.instances), len(shape.edges)) == (60, 150, 200)
    order = {service.full: place for place, service in enumerate(shape.services)}
    pairs = {(edge.source, edge.service.full) for edge in shape.edges}
    assert len(order) == 60
    assert len(pairs) == 200
    assert all(source == "edge" or order[source] < order[target] for source, target in pairs)
    names = {(one.namespace, one.service, one.id) for one in shape.instances}
    assert len(names) == 150
    assert {f"{namespace}/{service}" for namespace, service, _ in names} == set(order)


def test_the_same_seed_gives_the_same_mesh_and_another_one_another() -> None:
    assert shape_of(30, 60, 90, seed=3) == shape_of(30, 60, 90, seed=3)
    assert shape_of(30, 60, 90, seed=3).edges != shape_of(30, 60, 90, seed=4).edges


def test_the_smallest_and_the_fullest_mesh_are_made_too() -> None:
    assert [(edge.source, edge.service.full) for edge in shape_of(1, 1, 1).edges] == [("edge", "sim-01/accounts")]
    full = shape_of(4, 4, 4 * 3 // 2 + 4)
    assert len({(edge.source, edge.service.full) for edge in full.edges}) == 10


def test_what_cannot_be_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="5 services need as many instances"):
        shape_of(5, 4, 1)
    with pytest.raises(ValueError, match="3 services have 6 edges at most"):
        shape_of(3, 3, 7)
