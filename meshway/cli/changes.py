"""What an apply changes or would change, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.cli.output import painted

if TYPE_CHECKING:
    from meshway.cli.written_files import FileDocument

_MARKS: Final = {"created": "+", "changed": "~", "deleted": "-"}


def change_marks(applied: Mapping[str, Any]) -> str:
    """One line a changed document: `~ Route shop/search`."""
    lines = [f"{_MARKS[row['result']]} {document_name(row)}" for row in applied["documents"] if row["result"] in _MARKS]
    return "\n".join(lines) or "unchanged"


def diff_text(applied: Mapping[str, Any], *, color: bool) -> str:
    """The documents with their changed fields, and a line that counts them."""
    lines: list[str] = []
    for row in applied["documents"]:
        if row["result"] not in _MARKS:
            continue
        lines.append(f"{_MARKS[row['result']]} {document_name(row)}")
        lines += change_lines(row)
    lines.append(_counts(applied["documents"]))
    return "\n".join(painted(line) if color else line for line in lines)


def change_lines(row: Mapping[str, Any]) -> list[str]:
    """The changed fields of a document that was changed; of a new one none."""
    changes = row.get("changes", []) if row["result"] == "changed" else []
    width = max((len(change["path"]) for change in changes), default=0)
    return [
        f"    {change['path'].ljust(width)}   {_value(change.get('from'))} -> {_value(change.get('to'))}"
        for change in changes
    ]


def warning_lines(applied: Mapping[str, Any], documents: "Sequence[FileDocument]") -> Iterator[str]:
    """`! no_instances Route shop/search: … (search.yaml:14)`"""
    by_name = {document.name: document for document in documents}
    for warning in applied.get("warnings", []):
        name = warning.get("document", "")
        place = ""
        if (document := by_name.get(name)) is not None:
            at = document.written.place(warning.get("path", ""))
            place = f" ({document.written.file_of(warning.get('path', ''))}:{at.line})"
        yield f"! {warning['code']} {name}: {warning['message']}{place}"


def applied_line(applied: Mapping[str, Any], *, dry_run: bool) -> str:
    changed = any(row["result"] != "unchanged" for row in applied["documents"])
    if dry_run:
        return "dry run: nothing was published"
    if not changed:
        return f"✓ nothing to change, revision {applied['revision']}"
    return f"✓ revision {applied['revision']}"


def document_name(row: Mapping[str, Any]) -> str:
    """`Route shop/search` of a row with kind, namespace and name."""
    return f"{row['kind']} {row['namespace']}/{row['name']}"


def _counts(rows: Sequence[Mapping[str, Any]]) -> str:
    count = {result: sum(row["result"] == result for row in rows) for result in ("created", *_MARKS, "unchanged")}
    created = f"{count['created']} created, " if count["created"] else ""
    return f"{created}{count['changed']} changed, {count['unchanged']} unchanged, {count['deleted']} deleted"


def _value(value: Any) -> str:
    if value is None:
        return "(not set)"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
