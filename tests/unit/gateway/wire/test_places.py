import resource

import pytest

from gateway.wire.places import (
    CONNECTIONS,
    DESCRIPTORS,
    LOOK_EVERY,
    MEMORY,
    Places,
    allow_all_descriptors,
    descriptors,
    no_place,
)


def test_a_connection_is_welcome_as_long_as_nothing_is_lacking() -> None:
    places = Places(2, 100)
    places.taken = 2
    assert places.lacking(99) == ""
    assert places.lacking(100) == DESCRIPTORS
    places.taken = 3
    assert places.lacking(50) == CONNECTIONS
    places.is_short_of_memory = True
    assert places.lacking(50) == MEMORY


def test_one_descriptor_in_some_is_looked_at_and_each_as_long_as_there_are_too_few() -> None:
    places = Places(1 << 20, 100)

    def looked_at(count: int, descriptor: int) -> list[bool]:
        wanted = []
        for _ in range(count):
            wanted.append(places.wants_descriptor())
            assert places.lacking(descriptor if wanted[-1] else -1) == (
                DESCRIPTORS if wanted[-1] and descriptor >= 100 else ""
            )
        return wanted

    assert looked_at(2 * LOOK_EVERY + 3, 99).count(True) == 3
    assert looked_at(LOOK_EVERY + 3, 100)[-3:] == [True] * 3
    assert looked_at(3, 99) == [True, False, False]


@pytest.mark.parametrize("lacking", [CONNECTIONS, DESCRIPTORS, MEMORY])
def test_who_finds_no_place_is_told_what_is_lacking(lacking: str) -> None:
    reply = no_place(lacking, "listener edge")
    assert (reply.status, reply.reason, reply.policy) == (503, "overloaded", "listener edge")
    assert reply.members == {"lacking": lacking}


def test_most_of_the_descriptors_are_for_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
        assert (descriptors(), Places().most_descriptors) == (1000, 800)
        allow_all_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
