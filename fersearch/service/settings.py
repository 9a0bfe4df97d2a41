"""How a service runs: one record, made by the command line and read by its parts."""

from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 2**20
MOST_EXPORTED = 2000 * MEGABYTE


@dataclass(frozen=True)
class ServiceSettings:
    """Where a service listens, what it may use, and what it lets in.

    Attributes:
        host, port: the address; port 0 takes a free one.
        storage: the URL of the database; default as everywhere.
        slots, slots_per_gpu, threads_per_slot: as of a run, but for all studies together.
        engine, ray_address: where trials run.
        observe: observers that are told of every study, as of a run; None for those of `FERSEARCH_OBSERVE`.
        offered_observers: observers, with their options, that a study may ask for by name.
        data_roots: the folders below which data, weights and other paths of a request must lie.
        allowed_hosts: further names by which browsers may call it.
        tokens: whether a token is asked for; only on a loopback address it may be left out.
        tls_certificate, tls_key: files for HTTPS.
        root_path: the path under which a proxy offers it.
        max_upload: bytes of a request at most.
        max_exported: bytes at most of the models that it exported and keeps.
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
        """Whether nobody but this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")
