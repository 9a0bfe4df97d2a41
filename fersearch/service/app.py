"""The web application: routes under /api/v1, the page, health and metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse

from fersearch import __version__
from fersearch.service import jobs, openapi, page, problems, security
from fersearch.service.context import Service
from fersearch.service.guard import Guard
from fersearch.service.metrics import gauges
from fersearch.service.routes import catalogue, checkpoints, events, queue, reports, reruns, studies
from fersearch.service.security import Reader

PREFIX = "/api/v1"


def create_app(service: Service, gate: security.Gate) -> FastAPI:
    """Return the application of a service; `gate` authorises requests."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.stream.start(asyncio.get_running_loop())
        async with jobs.kept_ready(service.settings.storage):
            yield
        service.stream.close()

    app = FastAPI(
        title="fersearch",
        version=__version__,
        description="Hyperparameter search for facial expression recognition.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        servers=[{"url": root_path}] if (root_path := service.settings.root_path) else None,
    )
    app.state.service, app.state.gate = service, gate
    problems.install(app)
    for routes in (checkpoints, reports, reruns, studies, catalogue, queue, events):
        app.include_router(routes.router, prefix=PREFIX)
    app.include_router(page.router)
    _add_system(app, service)
    openapi.install(app, PREFIX)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Guard, gate=gate)
    return app


def _add_system(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["service"])
    def health() -> dict[str, str]:
        """Return `ok` while the service responds."""
        return {"status": "ok"}

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse, responses=problems.RESPONSES)
    def metrics(_: Reader) -> str:
        """Return five gauges in the text format of Prometheus."""
        return gauges(service)

    @app.get("/openapi.json", include_in_schema=False)
    def describe(_: Reader) -> dict[str, Any]:
        return app.openapi()
