"""The shop's stock: three books out of copyright, and what readers wrote about them."""

from __future__ import annotations

from typing import TypedDict


class Book(TypedDict):
    """What the details service knows of a book."""

    title: str
    author: str
    year: int
    pages: int
    publisher: str
    language: str
    summary: str


class Opinion(TypedDict):
    """One review."""

    reviewer: str
    text: str


BOOKS: dict[str, Book] = {
    "0": {
        "title": "The Time Machine", "author": "H. G. Wells", "year": 1895, "pages": 118,
        "publisher": "William Heinemann", "language": "English",
        "summary": "A traveller comes late to dinner, because he has been to the year 802,701.",
    },
    "1": {
        "title": "Three Men in a Boat", "author": "Jerome K. Jerome", "year": 1889, "pages": 315,
        "publisher": "J. W. Arrowsmith", "language": "English",
        "summary": "Three friends and a dog row up the Thames for their health. The tin of pineapple wins.",
    },
    "2": {
        "title": "Flatland", "author": "Edwin A. Abbott", "year": 1884, "pages": 96,
        "publisher": "Seeley & Co.", "language": "English",
        "summary": "A square of good family learns of a third dimension and is not thanked for telling.",
    },
}  # fmt: skip

OPINIONS: dict[str, tuple[Opinion, ...]] = {
    "0": (
        {"reviewer": "Ada", "text": "Read it in one evening, which felt like 802,701 years well spent."},
        {"reviewer": "Edsger", "text": "The machine is described too loosely to be built. The ending is exact."},
    ),
    "1": (
        {"reviewer": "Grace", "text": "The best account of a deployment that went wrong from the first day."},
        {"reviewer": "Alan", "text": "I laughed aloud on the train and had to move to another carriage."},
    ),
    "2": (
        {"reviewer": "Emmy", "text": "Short, strict and kind. It should stand in every school."},
        {"reviewer": "Kurt", "text": "True, though it cannot be proved from inside Flatland."},
    ),
}

STARS: dict[str, dict[str, int]] = {
    "0": {"Ada": 5, "Edsger": 4},
    "1": {"Grace": 5, "Alan": 5},
    "2": {"Emmy": 5, "Kurt": 3},
}
