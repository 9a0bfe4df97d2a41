"""The parts of a running service, and their access by routes."""

from dataclasses import dataclass, field

from fastapi import Request

from fersearch.service.charts import RecentCharts
from fersearch.service.models import ModelCache
from fersearch.service.response_cache import ResponseCache
from fersearch.service.settings import ServiceSettings
from fersearch.service.stream import EventStream
from fersearch.service.supervisor import Supervisor
from fersearch.store import Store


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    settings: ServiceSettings
    store: Store
    supervisor: Supervisor
    stream: EventStream
    models: ModelCache
    responses: ResponseCache
    charts: RecentCharts = field(default_factory=RecentCharts)


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    service: Service = request.app.state.service
    return service
