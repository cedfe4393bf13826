"""The product page as HTML. Everything that came from a service is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from books import Book

# In the page itself: the edge shows no other path, and a browser would ask for one. A star, escaped: one in the text is
# a reader's.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ctext y='14' font-size='16' fill='%23c0392b'%3E%E2%98%85%3C/text%3E%3C/svg%3E"
)


class Part:
    """What a service answered, or why there is nothing."""

    __slots__ = ("error", "found")

    def __init__(self, found: dict[str, Any], error: str | None = None) -> None:
        self.found, self.error = found, error


def render(book: str, books: Mapping[str, Book], details: Part, reviews: Part, served_by: str) -> str:
    title = escape(books[book]["title"])
    shelf = "".join(
        f'<a href="/productpage?id={number}"{_current(number == book)}>{escape(other["title"])}</a>'
        for number, other in books.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · The Book Shop</title>
<link rel="icon" href="{ICON}"><link rel="stylesheet" href="/static/shop.css"></head>
<body>
<header><h1>The Book Shop</h1><nav>{shelf}</nav></header>
<main>
<article><h2>{title}</h2>{_details(details)}</article>
<section><h2>What readers say</h2>{_reviews(reviews)}</section>
</main>
<footer>Served by {escape(served_by)} · {_served(details, "details")} · {_served(reviews, "reviews")}</footer>
</body></html>
"""


def _details(part: Part) -> str:
    if part.error:
        return _missing("Details", part.error)
    book = part.found
    facts = (
        ("Author", "author"), ("First published", "year"), ("Publisher", "publisher"), ("Pages", "pages"),
        ("Language", "language"),
    )  # fmt: skip
    rows = "".join(f"<dt>{label}</dt><dd>{escape(str(book.get(key, '')))}</dd>" for label, key in facts)
    return f"<p class=summary>{escape(str(book.get('summary', '')))}</p><dl>{rows}</dl>"


def _reviews(part: Part) -> str:
    if part.error:
        return _missing("Reviews", part.error)
    colour = part.found.get("colour")
    notes = []
    for review in part.found.get("reviews", []):
        stars = _stars(review.get("stars"), colour) if colour else ""
        reviewer, text = escape(str(review["reviewer"])), escape(str(review["text"]))
        notes.append(f"<blockquote>{stars}<p>{text}</p><cite>{reviewer}</cite></blockquote>")
    lost = _missing("Ratings", part.found["ratings_error"]) if "ratings_error" in part.found else ""
    return lost + "".join(notes)


def _stars(count: int | None, colour: str) -> str:
    if count is None:
        return ""
    drawn = "★" * count + "☆" * (5 - count)
    return f'<span class="stars {escape(colour)}" aria-label="{count} of 5 stars">{drawn}</span>'


def _current(is_current: bool) -> str:
    return " aria-current=page" if is_current else ""


def _missing(what: str, why: str) -> str:
    return f"<div class=missing><strong>{what} are not available right now.</strong><small>{escape(why)}</small></div>"


def _served(part: Part, service: str) -> str:
    return escape(str(part.found.get("served_by", f"no {service}")))
