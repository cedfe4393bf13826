"""What must hold inside a Secret."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from meshway.model.rule_kit import BlockRule, Finding, bounded, one_of
from meshway.model.secret import EVERY_NAMESPACE, Secret
from meshway.model.secret_data import judge_data

_MOST_OVERLAP_S: Final = 720 * 3600.0


def _data(part: Any) -> Iterator[Finding]:
    if part.data is not None:
        for finding in judge_data(part.type, part.data):
            yield finding._replace(at=f".data{finding.at}")


def _versions(part: Any) -> Iterator[Finding]:
    if part.versions and not part.keep:
        yield Finding(".versions", "forbidden_combination", "is what the registry answers: take it out, or write keep")


def _share(part: Any) -> Iterator[Finding]:
    if EVERY_NAMESPACE in part.share_with and len(part.share_with) > 1:
        yield Finding(".share_with", "forbidden_combination", f'"{EVERY_NAMESPACE}" is every namespace already')


SECRET_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Secret: (
        one_of("data", "keep"),
        BlockRule(("type", "data"), _data),
        BlockRule(("versions", "keep"), _versions),
        BlockRule(("share_with",), _share),
        bounded("overlap", 0.0, _MOST_OVERLAP_S, zero=True),
    ),
}
