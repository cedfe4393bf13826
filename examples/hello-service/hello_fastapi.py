"""Answers `Hello, World!` in FastAPI, and joins the mesh by itself.

python hello_fastapi.py
"""

import logging
import os

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from meshway.client import Mesh

PORT = int(os.environ.get("PORT", "8080"))
mesh = Mesh.from_env()
app = FastAPI(lifespan=mesh.lifespan("hello", port=PORT, version="v1"))


@app.get("/")
async def hello(request: Request) -> PlainTextResponse:
    logging.info("GET %s", request.url.path)
    return PlainTextResponse("Hello, World!\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=PORT, log_level="warning")
