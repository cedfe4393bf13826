"""Facts about a book: `GET /details/{id}`."""

from __future__ import annotations

from typing import Any

from books import BOOKS
from fastapi import HTTPException
from running import Copy, serve


def build(copy: Copy) -> None:
    @copy.app.get("/details/{book}")
    async def details(book: str) -> dict[str, Any]:
        if book not in BOOKS:
            raise HTTPException(404, f"no book {book}: there are {', '.join(BOOKS)}")
        return {"id": book, "served_by": copy.name, **BOOKS[book]}


if __name__ == "__main__":
    serve("details", build, port=9081)
