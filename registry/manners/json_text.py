"""A body as a Struct: msgspec when all is well; when not, once more slowly, for every error with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from meshway.model.fields import read_struct
from meshway.problem import FieldError, Problem, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

S = TypeVar("S", bound=msgspec.Struct)
_BYTE: Final = re.compile(r"\(byte (\d+)\)\Z")


def decoder_of(of: type[S], path: str) -> Callable[[bytes], S]:
    """A reader of bodies of one Struct. path: what errors call the body.

    It raises Problem 400 for what is no JSON, and 422 with all errors for what is no `of`.
    """
    decode = msgspec.json.Decoder(of).decode
    skips_unknown = not of.__struct_config__.forbid_unknown_fields

    def decode_body(body: bytes) -> S:
        try:
            if skips_unknown:
                body.decode()  # msgspec does not look into what it skips
            return decode(body)
        except msgspec.ValidationError as error:
            errors = tuple(_all_errors(parse_json(body), of, path))
            raise invalid_request(errors[0].message if errors else str(error), errors) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(body, error) from None

    return decode_body


def _all_errors(value: object, of: type[msgspec.Struct], path: str) -> Iterator[FieldError]:
    for error in read_struct(value, of, path)[1]:
        if error.code != "unknown_field" or of.__struct_config__.forbid_unknown_fields:
            # A body without a path of its own: `port`, not `.port`.
            yield msgspec.structs.replace(error, path=error.path.lstrip("."), message=error.message.lstrip(".: "))


def parse_json(body: bytes) -> object:
    """Plain values. Raises Problem 400 with line and column."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(body, error) from None


def malformed(body: bytes, error: Exception) -> Problem:
    if not body.strip():
        return Problem(400, "malformed_json", "Malformed JSON", detail="the body is empty where JSON is expected")
    reason = str(error).removeprefix("JSON is malformed: ")
    line = column = None
    if isinstance(error, UnicodeDecodeError):
        at = _not_utf8(body)
        line, column = _place(body, at)
        reason = f"the byte 0x{body[at]:02x} at line {line}, column {column} is no UTF-8"
    elif found := _BYTE.search(reason):
        line, column = _place(body, int(found[1]))
        reason = f"{reason[: found.start()].rstrip()} at line {line}, column {column}"
    elif isinstance(error, msgspec.DecodeError) and "truncated" in reason:
        line, column = _place(body, len(body))
        reason = f"the text ends too early, at line {line}, column {column}"
    return Problem(
        400,
        "malformed_json",
        "Malformed JSON",
        detail=reason,
        errors=(FieldError(path="", code="malformed_json", message=reason, line=line, column=column),),
    )


def _place(body: bytes, at: int) -> tuple[int, int]:
    """Line and column of a byte, both from 1; columns count characters."""
    begin = body.rfind(b"\n", 0, at) + 1
    return body.count(b"\n", 0, at) + 1, len(body[begin:at].decode("utf-8", "replace")) + 1


def _not_utf8(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
