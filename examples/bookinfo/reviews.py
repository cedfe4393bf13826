"""What readers wrote: `GET /reviews/{id}`. Three versions: v1 shows no stars, v2 black ones, v3 red ones.

v2 and v3 ask the ratings service, through the gateway. Without its answer the texts are still worth showing, so they
come with an error in place of the stars.
"""

from __future__ import annotations

from typing import Any

import httpx
from books import OPINIONS
from fastapi import HTTPException
from running import Copy, serve

COLOURS = {"v2": "black", "v3": "red"}


def build(copy: Copy) -> None:
    colour = COLOURS.get(copy.version)

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
        answer["reviews"] = [{**opinion, "stars": stars.get(opinion["reviewer"])} for opinion in OPINIONS[book]]
        return answer


if __name__ == "__main__":
    serve("reviews", build, port=9083, versions=("v1", "v2", "v3"))
