"""Stars: `GET /ratings/{id}`, `POST /ratings/{id}` with `{"reviewer": "Ada", "stars": 4}`. Kept in memory."""

from __future__ import annotations

from typing import Any

from books import STARS
from fastapi import HTTPException
from pydantic import BaseModel, Field
from running import Copy, serve

MOST_REVIEWERS = 1000


class Rating(BaseModel):
    """One reader's stars."""

    reviewer: str = Field(min_length=1, max_length=64)
    stars: int = Field(ge=1, le=5)


def build(copy: Copy) -> None:
    stars = {book: dict(given) for book, given in STARS.items()}

    @copy.app.get("/ratings/{book}")
    async def ratings(book: str) -> dict[str, Any]:
        if book not in stars:
            raise HTTPException(404, f"no book {book}")
        return {"id": book, "served_by": copy.name, "ratings": stars[book]}

    @copy.app.post("/ratings/{book}", status_code=201)
    async def rate(book: str, rating: Rating) -> dict[str, Any]:
        if book not in stars:
            raise HTTPException(404, f"no book {book}")
        if rating.reviewer not in stars[book] and len(stars[book]) >= MOST_REVIEWERS:
            raise HTTPException(409, "this book has ratings enough")
        stars[book][rating.reviewer] = rating.stars
        return {"id": book, "served_by": copy.name, "ratings": stars[book]}


if __name__ == "__main__":
    serve("ratings", build, port=9082)
