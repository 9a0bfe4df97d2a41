"""Start a service (database, supervisor, uvicorn), and shut it down without losing work."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from fersearch.context import shared_store
from fersearch.engines import devices
from fersearch.errors import StoreError, UsageError
from fersearch.service import observers
from fersearch.service.app import create_app
from fersearch.service.context import Service
from fersearch.service.models import ModelCache
from fersearch.service.page import BUILD, DIST
from fersearch.service.response_cache import ResponseCache
from fersearch.service.security import Gate
from fersearch.service.settings import ServiceSettings
from fersearch.service.stream import EventStream
from fersearch.service.supervisor import Supervisor
from fersearch.store.service_lease import ServiceLease

GRACE_SECONDS = 5
"""Seconds that open requests have to complete when the service ends."""


def serve(settings: ServiceSettings, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; drivers then save and leave, and the queue waits for the next start.

    Args:
        announce: called with each line for the user: the address, the link that signs in.

    Raises:
        UsageError: the settings contradict each other, or the address is in use.
        StudyBusy: another service runs on the database.
    """
    check(settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("fersearch.service").setLevel(logging.INFO)
    with bound(settings) as listening:
        address = f"{settings.scheme}://{_host(settings)}:{listening.getsockname()[1]}{settings.root_path}"
        with running(settings, address) as (service, gate):
            announce(f"fersearch serves at {address} with {service.supervisor.slots} slots")
            if settings.tokens:
                announce(f"sign in: {address}/?token={gate.start_token}")
            if not (DIST / "index.html").is_file():
                announce(f"the page is not built; the API works without it. To build it: {BUILD}")
            config = uvicorn.Config(
                create_app(service, gate),
                log_level="warning",
                access_log=False,
                server_header=False,
                ssl_certfile=settings.tls_certificate,
                ssl_keyfile=settings.tls_key,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            with _ended_by_signals():
                uvicorn.Server(config).run(sockets=[listening])
            announce("the service stops: drivers save and exit; the queue continues at the next start")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End the block quietly at SIGTERM and Ctrl-C: uvicorn shuts down at either, then raises the signal again."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def running(settings: ServiceSettings, address: str) -> Iterator[tuple[Service, Gate]]:
    """Yield the started parts of a service, and close them after the block."""
    with (
        shared_store(settings.storage) as store,
        ServiceLease.take(store.database, address) as lease,
    ):
        supervisor = Supervisor(store, settings, slot_count(settings), lease)
        models = ModelCache(store, settings.storage, settings.max_exported)
        models.shrink()
        service = Service(settings, store, supervisor, EventStream(store), models, ResponseCache(store))
        supervisor.start()
        try:
            yield service, Gate(settings, store)
        finally:
            service.stream.close()
            with suppress(StoreError):
                supervisor.close()


def check(settings: ServiceSettings) -> None:
    """Raise UsageError for settings that contradict each other."""
    if not settings.tokens and not settings.is_loopback:
        raise UsageError(f"--no-token would open {settings.host} to everybody", "leave it out, or serve on 127.0.0.1")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together", "give both files, or neither")
    for file in filter(None, (settings.tls_certificate, settings.tls_key)):
        if not file.is_file():
            raise UsageError(f"there is no file {file}", "give the certificate and its key as PEM files")
    for root in settings.data_roots:
        if not root.is_dir():
            raise UsageError(f"--data-root {root} is not a folder", "give the folder that holds the data")
    observers.check(settings)
    if settings.engine == "ray" and settings.slots is None:
        raise UsageError("--engine ray needs --slots", "say how many trials the service may run at once")


def slot_count(settings: ServiceSettings) -> int:
    """Return the number of trials that the service may run at once."""
    if settings.engine == "ray":
        return settings.slots or 1
    return len(devices.slots(settings.slots, settings.slots_per_gpu, settings.threads_per_slot))


@contextmanager
def bound(settings: ServiceSettings) -> Iterator[socket.socket]:
    """Yield a socket bound to the address. Raise UsageError if it is in use or not of this machine."""
    try:
        listening = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except (OSError, OverflowError) as error:
        where = f"{settings.host}:{settings.port}"
        raise UsageError(f"cannot serve at {where}: {error}", "choose another: --port 0 takes a free one") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it, each response waits 40 ms
    with listening:
        yield listening


def _host(settings: ServiceSettings) -> str:
    if settings.host in ("0.0.0.0", "::"):
        return (settings.allowed_hosts or (socket.gethostname(),))[0]
    return f"[{settings.host}]" if ":" in settings.host else settings.host
