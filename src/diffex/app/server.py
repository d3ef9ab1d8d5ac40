"""The routes: two pages, what the run is, edits, dropped images, thumbnails, one job, and news as events."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from diffex.app.about import about_run
from diffex.app.desk import Desk, WorkerError
from diffex.app.lru import Recent
from diffex.app.pages import ASSETS, asset, cells_page, live_page
from diffex.app.questions import CellName, CellsQuestion, EditQuestion, JobQuestion
from diffex.runs import Salvaged

_log = logging.getLogger("diffex")
_HEARTBEAT_S = 15.0
_THUMBS = 1024
_NAME_LENGTH = 200


def make_app(run: Salvaged, desk: Desk) -> FastAPI:
    """Build the application; `Guard` goes around it.

    Parameters
    ----------
    run : Salvaged
        What the pages show.
    desk : Desk
        Asks the worker; started and stopped with the application.

    Returns
    -------
    FastAPI
        An ASGI application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.start()
        yield
        desk.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(WorkerError, _worker_failed)
    app.add_exception_handler(Exception, _unexpected)
    _add_pages(app, run, desk)
    _add_questions(app, desk)
    return app


def _add_pages(app: FastAPI, run: Salvaged, desk: Desk) -> None:
    thumbs: Recent[str, bytes] = Recent(_THUMBS)

    @app.get("/", response_class=HTMLResponse)
    async def live(cell: CellName | None = None) -> str:
        return live_page(run, cell)

    @app.get("/about")
    async def about() -> dict[str, Any]:
        return about_run(run.explanation)

    @app.get("/favicon.ico", status_code=204)
    async def favicon() -> None:
        """Some browsers ask for it although the pages name none."""

    @app.get("/cells", response_class=HTMLResponse)
    async def cells(question: Annotated[CellsQuestion, Query()]) -> str:
        return cells_page(run, question, desk.unusual)

    @app.get("/thumb/{cell}")
    async def thumb(cell: CellName) -> Response:
        picture = thumbs.find(cell)
        if picture is None:
            answer, picture = await desk.ask({"do": "thumb", "cell": cell})
            if "error" in answer:
                return JSONResponse(answer, 404)
            if cell.startswith("run-"):  # a dropped image may be another one after the worker has died
                thumbs.put(cell, picture)
        return Response(picture, media_type="image/png")

    for name in ASSETS:
        app.add_api_route(f"/{name}", _asset_route(name), methods=["GET"])


def _add_questions(app: FastAPI, desk: Desk) -> None:
    @app.post("/edit")
    async def edit(question: EditQuestion) -> Response:
        return _json(await desk.edit(question))

    @app.post("/drop")
    async def drop(request: Request, name: Annotated[str, Query(max_length=1000)] = "image") -> Response:
        content = await request.body()  # the guard has refused what is too long
        answer, _ = await desk.ask({"do": "drop", "name": name[:_NAME_LENGTH]}, content)
        return _json(answer)

    @app.post("/job")
    async def job(question: JobQuestion) -> Response:
        return _json((await desk.ask({"do": "job", "cell": question.cell}))[0])

    @app.post("/cancel")
    async def cancel() -> Response:
        return _json((await desk.ask({"do": "cancel"}))[0])

    @app.get("/news")
    async def news(request: Request) -> StreamingResponse:
        return StreamingResponse(_events(desk, request), media_type="text/event-stream")


def _asset_route(name: str) -> Any:
    async def route() -> Response:
        text, kind = asset(name)
        return Response(text, media_type=kind)

    return route


def _json(answer: dict[str, Any]) -> JSONResponse:
    return JSONResponse(answer, 422 if "error" in answer else 200)


async def _worker_failed(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("An error of diffex at %s", request.url.path, exc_info=error)
    return JSONResponse({"error": "An error of diffex: what the terminal says is worth a report."}, 500)


async def _events(desk: Desk, request: Request) -> AsyncIterator[str]:
    """News as they come, and a sign of life in between so that a page that is gone is noticed."""
    async with desk.listening() as news:
        while not await request.is_disconnected():
            try:
                yield f"data: {json.dumps(await asyncio.wait_for(news.get(), _HEARTBEAT_S))}\n\n"
            except TimeoutError:
                yield ": still here\n\n"
