"""Which rule has a call, told as plainly as the guide does: every match of every rule is tried, the best one wins."""

import re
from typing import Any

Rules = list[tuple[str, int, str, list[dict[str, Any]]]]  # name of the Route, priority, order, matches, a rule each


def winner(rules: Rules, path: str, method: str, headers: dict[str, str], query: dict[str, str]) -> str:
    """`route.rule` or "none"; Routes of one age."""
    found = [
        (rank(match, priority, order, route, at), f"{route}.{at}")
        for route, priority, order, matches in rules
        for at, match in enumerate(matches)
        if fits(match.get("path", {"prefix": "/"}), path)
        and method in match.get("methods", [method])
        and all(holds(text, headers.get(name)) for name, text in match.get("headers", {}).items())
        and all(holds(text, query.get(name)) for name, text in match.get("query", {}).items())
    ]
    return min(found)[1] if found else "none"


def rank(match: dict[str, Any], priority: int, order: str, route: str, at: int) -> tuple[Any, ...]:
    if order == "listed":
        return (-priority, 0, route, at)
    path = match.get("path", {"prefix": "/"})
    ((kind, text),) = [(key, value) for key, value in path.items() if key != "ignore_case"]
    literals = len(re.sub(r"\{[^}]*\}", "", text)) if kind != "prefix" else len(text.rstrip("/"))
    group = {"exact": 0, "prefix": 1, "template": 1}.get(kind, 2)
    literals = len(text) if group == 2 else literals
    tie = 2 * (kind == "prefix") + ("=**" in text and kind == "template")
    asked = ("methods" not in match, -len(match.get("headers", {})), -len(match.get("query", {})))
    return (-priority, 1, group, -literals, tie * (group == 1), path.get("ignore_case", False), *asked, route, at)


def fits(written: dict[str, Any], path: str) -> bool:
    ((kind, text),) = [(key, value) for key, value in written.items() if key != "ignore_case"]
    if kind == "template":
        expression = re.sub(r"\\\{\w+=\\\*\\\*\\\}", ".*", re.escape(text))
        expression = re.sub(r"\\\{\w+\\\}", "[^/]+", expression)
    elif kind == "prefix":
        expression = re.escape(text.rstrip("/")) + "(/.*)?"
    else:
        expression = {"exact": re.escape(text), "regex": text, "string_prefix": re.escape(text) + ".*"}[kind]
    return re.fullmatch(expression, path, re.IGNORECASE if written.get("ignore_case") else 0) is not None


def holds(text: Any, value: str | None) -> bool:
    written = {"exact": text} if isinstance(text, str) else dict(text)
    if "present" in written:
        return (value is not None) == written["present"]
    inverted, folds = written.pop("invert", False), written.pop("ignore_case", False)
    ((kind, wanted),) = written.items()
    if value is None:
        return bool(inverted)
    if folds:
        value, wanted = value.lower(), [one.lower() for one in wanted] if kind == "in" else wanted.lower()
    said = {
        "exact": lambda: value == wanted,
        "prefix": lambda: value.startswith(wanted),
        "suffix": lambda: value.endswith(wanted),
        "contains": lambda: wanted in value,
        "regex": lambda: re.fullmatch(wanted, value) is not None,
        "in": lambda: value in wanted,
    }[kind]()
    return said != inverted
