"""What the fuzzer finds to be slow."""

import functools
import time

import pytest

from tests.parts.fuzzing import SLOW_S, TooSlowError, fuzz


def test_an_input_is_slow_though_the_parser_remembers_what_came_of_it() -> None:
    @functools.cache
    def parse(_: bytes) -> None:
        end = time.process_time() + SLOW_S + 0.1
        while time.process_time() < end:
            pass

    with pytest.raises(TooSlowError):
        fuzz("one that remembers", [b"abc"], parse, 0.1)
