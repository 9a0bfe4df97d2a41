"""The code that runs on Ray's nodes: the trial's actor, and the prepared data.

An actor holds a slot on a node. It has a fork server of its own, starts one fresh process for each trial that Ray Tune
gives it, and passes the process's messages on, one per step. The driver's answers come over the board, as Ray Tune
cannot send data to a running trial. A node that does not see the driver's prepared data unpacks a copy once.
"""

import contextlib
import io
import json
import os
import platform
import shutil
import tempfile
import threading
import traceback
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.tune import Trainable

from fersearch.data.prepared import Prepared, is_whole
from fersearch.engines.cpu_load import OtherLoad, cpu_times
from fersearch.engines.processes import Pool, Process
from fersearch.engines.ray.board import Message
from fersearch.files import DISK_FULL
from fersearch.formatting import short
from fersearch.home import home, prepared_folder
from fersearch.locks import lock
from fersearch.remote import is_url
from fersearch.trial import Lost, Outcome, Reason

LOOK = 0.5  # seconds between two checks whether a trial process hangs
DRIVER_GONE = (ray.exceptions.RayError, OSError)


class TrialActor(Trainable):
    """An actor that runs one trial process after another on its node; `config` has the board and the trial's key on it.

    Each step returns the process's next message: its pid, an epoch, the outcome, or its exit status.
    """

    def setup(self, config: Message) -> None:
        """Take a trial; its process starts with the first step."""
        self._take(config)
        self._pool: Pool | None = None
        self._preload: list[str] = []

    def reset_config(self, new_config: Message) -> bool:
        """Take the next trial; the fork server stays."""
        self._take(new_config)
        return True

    def step(self) -> Message:
        """Return the next message of the trial's process."""
        try:
            message = self._next()
        except ray.exceptions.RayError:
            raise
        except Exception as error:
            message = {"outcome": failed(error).to_json()}
        over = not message or "outcome" in message or "exited" in message
        if over:
            self._kill_process()
        return {"message": json.dumps(message), "done": over}

    def cleanup(self) -> None:
        """End the processes that still run."""
        self._kill_process()
        if self._pool is not None:
            self._pool.close()

    def _take(self, config: Message) -> None:
        self._key: str = config["key"]
        self._board: Any = ray.get_actor(config["board"], namespace=config["namespace"])
        self._process: Process | None = None
        self._place = ""
        self._log, self._apart = Path(), False
        self._load = OtherLoad(lambda: cpu_times(os.getppid()))  # the raylet's descendants are all of Ray's trials here

    def _next(self) -> Message:
        if self._process is None:
            order, request = self._receive(), self._receive()
            if not order or not request:
                return {}
            self._begin(order, request)
        assert self._process is not None
        assert self._pool is not None
        message = self._next_message(self._process, self._pool)
        if message is None:
            status, lost = self._pool.exit_status(self._process), self._pool.lost(self._process)
            return {"exited": status, "lost": lost, "failed": self._pool.failed_preloads}
        self._process.pid = message.get("pid", self._process.pid)
        if "pid" in message:
            log = f"{platform.node()}:{self._log}" if self._apart else str(self._log)
            message |= {"node": platform.node(), "place": self._place, "log": log}
            if self._on_cpu:
                self._load.join(0)
        if "outcome" in message:
            around = {"node": platform.node(), **self._load.leave(0)}
            message["outcome"]["facts"] = {**message["outcome"].get("facts", {}), **around}
            message["failed"] = self._pool.failed_preloads
        return message

    def _next_message(self, process: Process, pool: Pool) -> Message | None:
        """Return the process's next message for the driver, or the outcome if it hangs."""
        while True:
            if process.connection.poll(LOOK):
                message = process.receive()
                if message is None or "beat" not in message:
                    return message
            elif outcome := process.hung():
                pool.kill(process)
                return {"outcome": outcome.to_json()}

    def _begin(self, order: Message, request: Message) -> None:
        there, here = Path(order["home"]), node_home(order)
        self._apart = here != there
        if self._pool is None or self._preload != order["preload"]:
            self.cleanup()
            self._preload = order["preload"]
            self._pool = Pool(self._preload, order["hung_after"])
        attempt = request["request"]
        attempt["prepared"] = str(
            ensure_prepared(Path(attempt["prepared"]), self._fetch, attempt.get("prepared_digest", ""))
        )
        self._place, self._on_cpu = place(order["env"]), attempt["device"] == "cpu"
        attempt["scratch"] = str(translated(attempt["scratch"], there, here))
        self._log = translated(order["log"], there, here)
        self._process = self._pool.start(self._log, {**order["env"], "FERSEARCH_HOME": str(here)})
        self._process.send(request)
        threading.Thread(target=self._forward, args=(self._process, self._key), daemon=True).start()

    def _forward(self, process: Process, key: str) -> None:
        """Pass the driver's messages to the process, and kill it once there will be no more.

        An actor that counts as lost for the driver may run for another minute, as when only its raylet died.
        """
        with contextlib.suppress(*DRIVER_GONE):
            while (message := _answer(self._board.receive.remote(key))) and "kill" not in message:
                process.send(message)
        if self._process is process:
            process.kill()

    def _receive(self) -> Message | None:
        message: Message | None = _answer(self._board.receive.remote(self._key))
        return message

    def _fetch(self, folder: Path) -> bytes:
        content: bytes = _answer(_answer(self._board.packed.remote(str(folder)))[0])
        return content

    def _kill_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
                process.close()


def failed(error: Exception) -> Outcome:
    """Return the outcome of an attempt that could not begin on this node; a full disk is a loss, not an error."""
    message = f"{type(error).__name__} on node {platform.node()}: {error}"
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        lacking = {"folder": str(error.filename or home()), "bytes": 0}
        facts = {"lost": Lost.DISK.value, "lacking_disk": lacking, "node": platform.node()}
        return Outcome(Reason.INTERRUPTED, message, trace, facts=facts)
    return Outcome(Reason.ERROR, message, trace)


def place(env: Mapping[str, str]) -> str:
    """Return the resource that a trial here shares with others: a GPU of this node, or its cores."""
    gpus = env.get("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return f"{platform.node()} {f'gpu {gpus}' if gpus else 'cpu'}"


def node_home(order: Message) -> Path:
    """Return the home for a trial's states and log: the driver's, or with artifacts at a URL the node's own.

    Raises:
        RayError: this node does not see the driver's home.
    """
    if is_url(order["marker"]):
        return home()
    if not Path(order["marker"]).is_file():
        raise ray.exceptions.RayError(f"{order['home']} is not shared with node {platform.node()}")
    return Path(order["home"])


def translated(path: str, there: Path, here: Path) -> Path:
    """Return a path of one home translated to another."""
    within = Path(path)
    return here / within.relative_to(there) if within.is_relative_to(there) else within


def _answer(reference: "ray.ObjectRef[Any]") -> Any:
    """Return the result of an actor's call."""
    return ray.get(reference)


def ensure_prepared(folder: Path, fetch: Callable[[Path], bytes], digest: str = "") -> Path:
    """Return the folder of a prepared dataset on this node: `folder` itself if this node sees it, else its own copy.

    A prepared dataset is named by its source files and not by its content, which also depends on the versions of
    decoders: one that was made here is used only if its content has the `digest` of the driver's. `fetch(folder)`
    returns the archive that `pack` made; trials that start together wait for one copy.
    """
    if is_whole(folder):
        return folder
    copy = prepared_folder() / folder.parent.name / folder.name
    if is_whole(copy):
        if not digest or Prepared.open(copy).digest == digest:
            return copy
        copy = copy.with_name(f"{copy.name}-{short(digest)}")
    with lock(copy.with_name(f"{copy.name}.lock")):
        if not is_whole(copy):
            _unpack(fetch(folder), copy)
    return copy


def _unpack(archive: bytes, copy: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{copy.name}.", dir=copy.parent))
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(work)
        work.rename(copy)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
