"""The page a reader sees: `GET /productpage?id=0`. It asks details and reviews, both through the gateway.

A part that cannot be had is shown as not available; the page itself is 200 all the same. How many parts are missing,
also further down, stands in the header `x-bookinfo-errors`, so that a load test sees what a reader would.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from books import BOOKS
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from page import Part, render
from running import Copy, serve


def build(copy: Copy) -> None:
    app = copy.app
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))

    async def ask(url: str, headers: dict[str, str]) -> Part:
        try:
            answer = await copy.client.get(url, headers=headers)
            answer.raise_for_status()
            return Part(answer.json())
        except httpx.HTTPError as error:
            return Part({}, error=str(error) or type(error).__name__)

    @app.get("/productpage")
    async def productpage(request: Request, id: str = "0") -> HTMLResponse:  # noqa: A002 - the query's word
        if id not in BOOKS:
            raise HTTPException(404, f"no book {id}")
        # Who reads decides which version of reviews answers (2-routes.yaml).
        reader = {"end-user": request.headers["end-user"]} if "end-user" in request.headers else {}
        details, reviews = await asyncio.gather(
            ask(f"http://details/details/{id}", reader), ask(f"http://reviews/reviews/{id}", reader)
        )
        errors = bool(details.error) + bool(reviews.error) + ("ratings_error" in reviews.found)
        headers = {"x-bookinfo-errors": str(errors), "x-bookinfo-reviews": str(reviews.found.get("version", "none"))}
        return HTMLResponse(render(id, BOOKS, details, reviews, copy.name), headers=headers)

    @app.get("/api/products")
    async def products() -> list[dict[str, Any]]:
        return [{"id": number, "title": book["title"]} for number, book in BOOKS.items()]


if __name__ == "__main__":
    serve("productpage", build, port=9080)
