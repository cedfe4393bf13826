"""Content codings: what a caller gets of those that are offered, and that it can be read again."""

import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from gateway.filters.codings import CODINGS, CodingMissing, choose, codings_of

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}

READ: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}


@pytest.mark.parametrize(
    ("accepted", "verdict"),
    [
        (b"", False),
        (b"gzip", True),
        (b"br, gzip;q=0.5", True),
        (b"x-gzip", True),
        (b"*", True),
        (b"*;q=0", False),
        (b"gzip;q=0, *", False),
        (b"gzip; q=0.0", False),
        (b"gzip;q=0.5, identity", False),
        (b"identity;q=0, *;q=0.1", True),
        (b"GZIP;q=nonsense", False),
        (b"deflate, br", False),
    ],
)
def test_what_a_caller_says_he_takes(accepted: bytes, verdict: bool) -> None:
    assert (choose(accepted, codings_of(["gzip"])) is not None) is verdict


@pytest.mark.parametrize(
    ("accepted", "offered", "chosen"),
    [
        (b"gzip, deflate, br, zstd", ["br", "zstd", "gzip"], b"br"),
        (b"gzip, deflate, br, zstd", ["zstd", "br", "gzip"], b"zstd"),
        (b"gzip, br;q=0.9", ["br", "gzip"], b"gzip"),
        (b"gzip;q=0.2, br;q=0.9", ["gzip", "br"], b"br"),
        (b"gzip", ["br", "zstd", "gzip"], b"gzip"),
        (b"*", ["zstd", "gzip"], b"zstd"),
        (b"zstd;q=0, *", ["zstd", "gzip"], b"gzip"),
        (b"br;q=0.3, identity;q=0.5", ["br"], None),
        (b"gzip", ["br", "zstd"], None),
    ],
)
def test_of_what_is_liked_equally_the_first_is_taken(accepted: bytes, offered: list[str], chosen: bytes | None) -> None:
    coding = choose(accepted, codings_of(offered))
    assert (coding and coding.name) == chosen


@pytest.mark.parametrize("size", [1, 100, 4 << 10, (4 << 10) + 1, 16 << 10, (16 << 10) + 1, 300_000])
@pytest.mark.parametrize("name", DECODE)
def test_answers_of_every_size_come_out_as_they_went_in(name: str, size: int) -> None:
    data = bytes(random.Random(size).choices(b"abcdefgh", k=size))
    coding = CODINGS[name]
    whole = coding.whole(data)
    assert DECODE[name](whole) == data
    assert len(whole) < 0.6 * size + 60
    pieces = coding.begin(size)
    half = size // 2
    assert DECODE[name](pieces.feed(data[:half]) + pieces.feed(data[half:]) + pieces.end()) == data


@pytest.mark.parametrize("name", DECODE)
def test_streams_that_run_in_turn_can_be_read_piece_by_piece(name: str) -> None:
    streams = [(CODINGS[name].begin(-1), READ[name](), b"%d: " % number) for number in range(2)]
    for piece in (b"one", b"two", b"three"):
        for encoder, read, mark in streams:
            assert read(encoder.feed(mark + piece) + encoder.flush()) == mark + piece
            assert DECODE[name](CODINGS[name].whole(piece)) == piece, "others come whole in between"
    for encoder, read, _ in streams:
        assert read(encoder.end()) == b""


def test_a_coding_without_its_package_is_refused_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CODINGS, "zstd")
    with pytest.raises(CodingMissing, match=r"zstd needs a package .* pip install 'meshway\[compress\]'"):
        codings_of(["gzip", "zstd"])
    assert [coding.name for coding in codings_of(["br", "gzip"])] == [b"br", b"gzip"]
