"""Conditions and ranges of callers, against what is kept (RFC 9110 §13, §14)."""

import pytest

from gateway.cache.conditions import Part, is_unchanged, part_of

ANSWER = b'ETag: "v1"\r\nLast-Modified: Fri, 15 Jan 2027 08:00:00 GMT\r\n'


@pytest.mark.parametrize(
    ("request_fields", "unchanged"),
    [
        ("", False),
        ('If-None-Match: "v1"', True),
        ('If-None-Match: W/"v1"', True),
        ('If-None-Match: "v0", "v1"', True),
        ('If-None-Match: "v0"\r\nIf-None-Match: "v1"', True),
        ("If-None-Match: *", True),
        ('If-None-Match: "v0"', False),
        ("If-None-Match: v1", False),
        ('If-None-Match: "v0"\r\nIf-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT', False),
        ("If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT", True),
        ("If-Modified-Since: Fri, 15 Jan 2027 07:59:59 GMT", False),
        ("If-Modified-Since: yesterday", False),
    ],
)
def test_who_has_it_already_is_known(request_fields: str, unchanged: bool) -> None:
    assert is_unchanged(f"{request_fields}\r\n".encode(), ANSWER) is unchanged


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ("", None),
        ("Range: bytes=0-3", Part(0, 3)),
        ("Range: Bytes=0-3", Part(0, 3)),
        ("Range: bytes=4-", Part(4, 9)),
        ("Range: bytes=4-99", Part(4, 9)),
        ("Range: bytes=-3", Part(7, 9)),
        ("Range: bytes=-99", Part(0, 9)),
        ("Range: bytes=-0", Part(10, 9)),
        ("Range: bytes=10-", Part(10, 9)),
        ("Range: bytes=3-2", None),
        ("Range: bytes=-", None),
        ("Range: bytes=0-1,3-4", None),
        ("Range: lines=0-1", None),
        ("Range: bytes=0-99999999999999999999999", None),
        ('Range: bytes=0-3\r\nIf-Range: "v1"', Part(0, 3)),
        ('Range: bytes=0-3\r\nIf-Range: W/"v1"', None),
        ('Range: bytes=0-3\r\nIf-Range: "v0"', None),
        ("Range: bytes=0-3\r\nIf-Range: Fri, 15 Jan 2027 08:00:00 GMT", Part(0, 3)),
        ("Range: bytes=0-3\r\nIf-Range: Fri, 15 Jan 2027 08:00:01 GMT", None),
    ],
)
def test_a_part_is_read_or_all_is_given(fields: str, part: Part | None) -> None:
    assert part_of(f"{fields}\r\n".encode(), ANSWER, 10) == part
