"""What readers wrote: `GET /reviews/{id}`, `POST /reviews/{id}` with `{"text": "fine", "reviewer": "Ada"}`.

Three versions: v1 shows no stars, v2 black ones, v3 red ones. New reviews are kept in memory, the last few of a book.

v2 and v3 ask the ratings service, through the gateway. Without its answer the texts are still worth showing, so they
come with an error in place of the stars.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import httpx
from books import OPINIONS, Opinion
from fastapi import HTTPException
from pydantic import BaseModel, Field
from running import Copy, serve

COLOURS = {"v2": "black", "v3": "red"}
NEWEST = 4


class Review(BaseModel):
    """What a reader sends."""

    text: str = Field(min_length=1, max_length=2000)
    reviewer: str = Field(default="A reader", min_length=1, max_length=64)


def build(copy: Copy) -> None:
    colour = COLOURS.get(copy.version)
    newest: dict[str, deque[Opinion]] = {book: deque(maxlen=NEWEST) for book in OPINIONS}

    @copy.app.get("/reviews/{book}")
    async def reviews(book: str) -> dict[str, Any]:
        if book not in OPINIONS:
            raise HTTPException(404, f"no book {book}")
        answer: dict[str, Any] = {"id": book, "version": copy.version, "served_by": copy.name}
        stars: dict[str, int] = {}
        if colour:
            answer["colour"] = colour
            try:
                found = await copy.client.get(f"http://ratings/ratings/{book}")
                found.raise_for_status()
                stars = found.json()["ratings"]
            except httpx.HTTPError as error:
                answer["ratings_error"] = str(error) or type(error).__name__
        answer["reviews"] = [
            {**opinion, "stars": stars.get(opinion["reviewer"])} for opinion in (*OPINIONS[book], *newest[book])
        ]
        return answer

    @copy.app.post("/reviews/{book}", status_code=201)
    async def review(book: str, written: Review) -> dict[str, Any]:
        if book not in OPINIONS:
            raise HTTPException(404, f"no book {book}")
        newest[book].append({"reviewer": written.reviewer, "text": written.text})
        return {"id": book, "version": copy.version, "served_by": copy.name}


if __name__ == "__main__":
    serve("reviews", build, port=9083, versions=("v1", "v2", "v3"))
