"""The settings of a service."""

from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 2**20
MOST_EXPORTED = 2000 * MEGABYTE


@dataclass(frozen=True)
class ServiceSettings:
    """Where a service listens, which resources it may use, and its limits on requests.

    Attributes:
        host, port: the address; port 0 takes a free one.
        storage: the URL of the database; default as everywhere.
        slots, slots_per_gpu, threads_per_slot: as for a run, but for all studies together.
        engine, ray_address: where trials run.
        observe: observers of every study, as for a run; None for those of `FERSEARCH_OBSERVE`.
        offered_observers: observers, with their options, that a study may ask for by name.
        data_roots: the folders that contain all data, weights and other paths that requests may name.
        allowed_hosts: further names by which browsers may call it.
        tokens: whether requests need a token; may be False only on a loopback address.
        tls_certificate, tls_key: files for HTTPS.
        root_path: the path prefix behind a proxy.
        max_upload: largest request in bytes.
        max_exported: most bytes of exported models that it keeps.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    storage: str | None = None
    slots: int | None = None
    slots_per_gpu: int | None = None
    threads_per_slot: int | None = None
    engine: str = "local"
    ray_address: str | None = None
    observe: tuple[str, ...] | None = None
    offered_observers: tuple[str, ...] = ()
    data_roots: tuple[Path, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    tokens: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    root_path: str = ""
    max_upload: int = 20 * MEGABYTE
    max_exported: int = MOST_EXPORTED

    @property
    def scheme(self) -> str:
        """`http`, or `https` with a certificate."""
        return "https" if self.tls_certificate else "http"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")
