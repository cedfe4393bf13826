"""What must hold inside a Receiver."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.model.receiver import AlertmanagerTarget, Receiver, ReceiverMatch, WebhookTarget
from meshway.model.rule_kit import BlockRule, Finding, bounded, member_path, one_of, unique

# Prometheus' names of labels, and the dots and hyphens that labels of services have besides.
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,127}\Z")
_HOUR: Final = 3600.0
# What Alertmanager does itself with the alerts that it is told.
_ALERTMANAGERS: Final = ("send_resolved", "group_by", "group_wait", "group_interval", "repeat")
_DEFAULTS: Final = Receiver()


def _url(part: Any) -> Iterator[Finding]:
    try:
        url = urlsplit(part.url)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and not url.fragment
        has_user = url.username is not None or url.password is not None
    except ValueError:
        sound = has_user = False
    if has_user:
        reason = "holds a user or a password, which every reader would see: write them into a Secret"
        yield Finding(".url", "inline_secret", reason)
    elif not sound or not part.url.isascii() or not part.url.isprintable() or " " in part.url:
        yield Finding(".url", "out_of_bounds", "is a URL: https://hooks.example/alerts")


def _base_url(part: Any) -> Iterator[Finding]:
    yield from _url(part)
    if "?" in part.url:
        yield Finding(".url", "out_of_bounds", "has no query: /api/v2/alerts is put behind it")


def _labels(part: Any) -> Iterator[Finding]:
    for name, value in part.labels.items():
        if not _LABEL.match(name):
            yield Finding(member_path(".labels", name), "bad_name", f'"{name}" is no name of a label')
        if len(value) > 256:
            yield Finding(member_path(".labels", name), "out_of_bounds", "has at most 256 characters")


def _group_by(part: Any) -> Iterator[Finding]:
    for at, name in enumerate(part.group_by):
        if not _LABEL.match(name):
            yield Finding(f".group_by[{at}]", "bad_name", f'"{name}" is no name of a label')
    yield from unique(part.group_by, lambda at: f".group_by[{at}]", "label")


def _left_to_alertmanager(part: Any) -> Iterator[Finding]:
    for name in _ALERTMANAGERS:
        if part.alertmanager is not None and getattr(part, name) != getattr(_DEFAULTS, name):
            reason = "is for apprise and webhook: Alertmanager groups and repeats by its own configuration"
            yield Finding(f".{name}", "forbidden_combination", reason)


def _repeat(part: Any) -> Iterator[Finding]:
    if part.repeat < part.group_interval:
        reason = f"{part.repeat} is below group_interval, {part.group_interval}: no message comes sooner"
        yield Finding(".repeat", "forbidden_combination", reason)


RECEIVER_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Receiver: (
        one_of("apprise", "webhook", "alertmanager"),
        BlockRule(("group_by",), _group_by),
        BlockRule(("alertmanager", *_ALERTMANAGERS), _left_to_alertmanager),
        bounded("group_wait", 0.0, _HOUR, zero=True),
        bounded("group_interval", 1.0, 24 * _HOUR, zero=False),
        bounded("repeat", 60.0, 168 * _HOUR, zero=False),
        BlockRule(("group_interval", "repeat"), _repeat),
    ),
    WebhookTarget: (BlockRule(("url",), _url),),
    AlertmanagerTarget: (BlockRule(("url",), _base_url),),
    ReceiverMatch: (BlockRule(("labels",), _labels),),
}
