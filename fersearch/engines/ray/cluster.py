"""Connection to a Ray cluster without its output; the resources of its nodes, and a check of their shared storage."""

import contextlib
import logging
import math
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fersearch.engines.devices import PerGpu, Slot, check
from fersearch.errors import FersearchError, UsageError
from fersearch.remote import Remote

if TYPE_CHECKING:
    import ray


try:
    import fcntl
except ImportError:  # Windows has none; folders of killed drivers stay there
    fcntl = None  # type: ignore[assignment]


QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_prestart_worker_first_driver": "0",  # workers without the variables of trials, which none would use
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_WARN_THRESHOLD_S": "1000000",
    "RAY_AIR_NEW_OUTPUT": "0",
}
START = "start one with: ray start --head; or let fersearch start its own: --ray-address local"
SHARE = (
    "set FERSEARCH_HOME to a folder that is mounted at the same path on every node; "
    "or give a URL that every node reaches: --artifacts s3://bucket/folder"
)
REACH = 5.0  # seconds for a cluster's address to answer
PREFIX = "fersearch-ray-"
FRESH = 60.0  # seconds in which a new folder may not be locked yet
LONGEST_TEMPORARY = 40  # most characters of a folder with which Ray's socket paths are short enough


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[Path]:
    """Join a Ray cluster; yield a folder for Ray's own files, removed in the end.

    `address` is `local` (start one here and end it afterwards), `auto` or HOST:PORT (a running one). A
    cluster that this process has joined already is used, and kept running.

    Raises:
        FersearchError: no cluster is at the address, or Ray cannot be started.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    with contextlib.ExitStack() as cleanup:
        folder = temporary_folder(cleanup)
        if not ray.is_initialized():
            _join(address or os.environ.get("RAY_ADDRESS") or "local", folder)
            cleanup.callback(ray.shutdown)
            _silence_events()
        _silence_logs()
        yield folder


def temporary_folder(cleanup: contextlib.ExitStack) -> Path:
    """Return a folder for Ray's files, removed when `cleanup` is closed; its name is short enough for Unix sockets."""
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= LONGEST_TEMPORARY else "/tmp"
    for old in Path(place).glob(f"{PREFIX}*"):
        if _abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    lock = cleanup.enter_context((folder / "lock").open("w"))
    if fcntl:
        fcntl.flock(lock, fcntl.LOCK_EX)
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _abandoned(folder: Path) -> bool:
    """Return whether the driver that made the folder died without removing it, by the lock that a driver holds."""
    try:
        with (folder / "lock").open("r+") as lock:
            if not fcntl or time.time() - folder.stat().st_mtime < FRESH:
                return False
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False


def places(
    count: int | None, per_gpu: PerGpu | None, threads: int | None = None
) -> tuple[list[Slot], dict[str, float]]:
    """Return the slots of the cluster, and the Ray resources of each: CPUs, and a share of a GPU.

    There are `per_gpu` (default 1) on each GPU, or without a GPU as many as the CPUs allow; `count` limits their
    number. Each has `threads` (default: the CPUs are divided among them; without a GPU one each).

    Raises:
        UsageError: fewer than one slot or thread is requested, slots per GPU without a GPU, or `auto` ones.
        FersearchError: the cluster has no CPU to run a trial on.
    """
    check(count, per_gpu, threads)
    if per_gpu == "auto":
        raise UsageError(
            "--slots-per-gpu auto measures on one machine; Ray needs each trial's share of a GPU in advance",
            "give a number; --engine local with auto, on a machine with such a GPU, says how many trials fit",
        )
    nodes = [node["Resources"] for node in alive()]
    gpus = sum(node.get("GPU", 0) for node in nodes)
    if per_gpu and not gpus:
        raise UsageError("--slots-per-gpu was given, but Ray knows no GPU", "leave it out to run one trial per CPU")
    if gpus:
        return _gpu_places([node for node in nodes if node.get("GPU")], count, per_gpu, threads)
    cpus = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if not cpus:
        raise FersearchError("the Ray cluster has no CPU for a trial", "let a node join: ray start --address HOST:PORT")
    number = count or max(1, sum(node // (threads or 1) for node in cpus))
    threads = threads or max(1, min(sum(cpus) // number, max(cpus)))
    fits = threads <= max(cpus) and number <= sum(node // threads for node in cpus)
    share = threads if fits else _share(math.ceil(number / sum(cpus)))
    hidden = (("CUDA_VISIBLE_DEVICES", ""),)
    return [Slot(i, "cpu", hidden, threads) for i in range(number)], {"cpu": share}


def alive() -> list[dict[str, Any]]:
    """Return the live nodes of the cluster."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


@contextlib.contextmanager
def marked(home: Path, artifacts: Path | str) -> Iterator[str]:
    """Check that every node that can run trials reaches the shared storage; yield the marker that they found.

    The storage is the URL of the artifacts, or, for a folder of artifacts, that folder and `home`.

    Raises:
        FersearchError: a node does not reach it, so that other nodes could not read the states of its trials.
    """
    with contextlib.ExitStack() as cleanup:
        if isinstance(artifacts, str):
            yield cleanup.enter_context(_marker(artifacts))
            return
        home.mkdir(parents=True, exist_ok=True)
        if not artifacts.is_relative_to(home):
            cleanup.enter_context(_marker(artifacts))
        yield cleanup.enter_context(_marker(home))


@contextlib.contextmanager
def _marker(place: Path | str) -> Iterator[str]:
    """Write a marker file in a folder or at a URL for the block; FersearchError unless every node finds it."""
    token = uuid4().hex
    name = f".ray-{token}"
    remote = Remote(place if isinstance(place, str) else place.absolute().as_uri())
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder, name)).write_text(token)
        remote.put(file, name)
    marker = f"{str(place).rstrip('/')}/{name}"
    try:
        blind = _nodes_without(marker, token)
        if blind:
            raise FersearchError(
                f"{place} is not shared with node {', '.join(blind)}, so its resume states and checkpoints "
                "would be lost to the others",
                SHARE,
            )
        yield marker
    finally:
        remote.remove(name)


def _nodes_without(marker: str, token: str) -> list[str]:
    """Return the nodes on which the marker is not found."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from fersearch.engines.ray.board import reads

    here = ray.get_runtime_context().get_node_id()
    answers = {}
    for node in alive():
        if node["NodeID"] != here and (node["Resources"].get("CPU") or node["Resources"].get("GPU")):
            pinned = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(reads).options(num_cpus=0, scheduling_strategy=pinned, max_retries=0)
            answers[node["NodeID"]] = node["NodeManagerAddress"], task.remote(marker, token)
    return sorted(name for node, (name, answer) in answers.items() if not _has_marker(node, answer))


def _has_marker(node: str, answer: "ray.ObjectRef[bool]") -> bool:
    """Return whether a node found the marker; True for one that has left the cluster, as it will run no trial."""
    import ray

    try:
        has_marker: bool = ray.get(answer, timeout=60)
    except ray.exceptions.RayError as error:
        if node not in {living["NodeID"] for living in alive()}:
            return True
        raise FersearchError(
            f"a node of the Ray cluster cannot run fersearch: {_last_line(error)}",
            "install the same fersearch on every node",
        ) from None
    return has_marker


def _gpu_places(
    nodes: list[dict[str, float]], count: int | None, per_gpu: int | None, threads: int | None
) -> tuple[list[Slot], dict[str, float]]:
    gpus = sum(int(node["GPU"]) for node in nodes)
    number = count or gpus * (per_gpu or 1)
    each = per_gpu or math.ceil(number / gpus)
    cpus = min(node.get("CPU", 0) / (node["GPU"] * each) for node in nodes)
    threads = threads or max(1, int(cpus))
    needed = {"cpu": min(threads, math.floor(cpus * 100) / 100), "gpu": _share(each)}
    return [Slot(i, "cuda:0", (), threads) for i in range(number)], needed


def _share(parts: int) -> float:
    """Return one of `parts` equal shares, rounded down to Ray's unit of 1/10,000."""
    return math.floor(10_000 / parts) / 10_000


def _join(address: str, folder: Path) -> None:
    import ray

    if address.startswith("ray://"):
        raise UsageError(
            f"--ray-address {address} is a Ray client, which Ray Tune's searchers cannot use",
            "run fersearch on a node of the cluster, with --ray-address auto",
        )
    if address not in ("local", "auto"):
        _check_address(address)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        options |= {"include_dashboard": False, "_temp_dir": str(folder)}
    sheltered = _sigterm_blocked() if address == "local" else contextlib.nullcontext()
    with sheltered, _handlers_restored(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(address=address, namespace="fersearch", **options)
        except Exception as error:
            start = "Ray cannot be started here" if address == "local" else f"no Ray cluster can be joined at {address}"
            raise FersearchError(
                f"{start}: {_last_line(error)}",
                START,
            ) from error


def _check_address(address: str) -> None:
    """Raise FersearchError within seconds for an address without a cluster, where Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--ray-address {address} is not an address", "give auto, local or HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=REACH).close()
    except (OSError, OverflowError) as error:
        raise FersearchError(f"no Ray cluster can be reached at {address}: {error}", START) from None


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


@contextlib.contextmanager
def _handlers_restored() -> Iterator[None]:
    """Restore this process's signal handlers after the block, which Ray replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _sigterm_blocked() -> Iterator[None]:
    """Block SIGTERM in processes started in the block: of a whole job, only the driver handles it and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silence_events() -> None:
    """Keep messages about lost workers off standard output, where Ray prints them whatever its settings."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None


def _silence_logs() -> None:
    """Keep Ray's own messages off the screen; trials report the relevant errors."""
    for name in ("ray", "ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
