"""The process that trials are forked from: libraries preloaded, one thread, no CUDA.

Run as `python -m fersearch.engines.forkserver FD`. FD is one end of a Unix socket pair that keeps
message bounds. The first message is `{"preload": [modules]}`; each later one requests a trial
process, `{"log": path, "env": {...}}`, and carries the trial's own connection. The server sends
`{"ready": ...}` once and `{"exited": pid, "status": code}` for every child that ends.

Nothing outlives its driver: when the driver dies the socket closes and the server exits; when the
server dies the kernel kills its children (PR_SET_PDEATHSIG). SIGTERM, which a scheduler may send to every
process of a job, is blocked here: a child unblocks it once it can save its trial.
"""

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 65_536


def main(fd: int) -> None:
    """Serve until the driver closes the connection."""
    control = socket.socket(fileno=fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    wakeup, alarm = socket.socketpair()
    wakeup.setblocking(False)
    alarm.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    request = json.loads(control.recv(MESSAGE_BYTES) or b"{}")
    _send(control, {"ready": os.getpid(), "failed": preload(request.get("preload", []))})
    try:
        _serve(control, wakeup, alarm)
    finally:
        signal.set_wakeup_fd(-1)  # the trials end now; the socket closes before their exits could be reported


def _serve(control: socket.socket, wakeup: socket.socket, alarm: socket.socket) -> None:
    """Fork a process for each order, and report ended ones, until the driver is gone."""
    while True:
        ready, _, _ = select.select([control, wakeup], [], [])
        if wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                wakeup.recv(4096)
            _reap(control)
        if control in ready:
            message, fds = _next_request(control)
            if not message:
                return
            if not _fork(json.loads(message), fds[0], [control, wakeup, alarm]):
                os.close(fds[0])


def _next_request(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next order with its connection; empty once the driver is gone."""
    try:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
    except ConnectionResetError:
        return b"", []
    return message, list(fds)


def preload(modules: list[str]) -> dict[str, str]:
    """Import modules, then freeze their objects so that a child's garbage collector never touches them.

    Garbage is not collected meanwhile: what libraries create as they load stays, and looking at it again and again
    takes a seventh of the time.
    """
    failed: dict[str, str] = {}
    gc.disable()
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            failed[module] = f"{type(error).__name__}: {error}"
    gc.freeze()
    gc.enable()
    return failed


def _fork(request: dict[str, Any], fd: int, inherited: list[socket.socket]) -> bool:
    server = os.getpid()
    if os.fork():
        return False
    status = 1
    try:
        die_with_parent(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for item in inherited:
            item.close()
        os.setpgid(0, 0)
        os.environ.update(request["env"])
        redirect_output(request["log"])
        from fersearch.engines import child

        child.main(fd)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; exit now if the parent has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def redirect_output(log: str) -> None:
    """Redirect standard output and error to the attempt's log file, and standard input from nothing."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _send(control, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        control.send(json.dumps(message).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # nothing needs cleanup, and unloading heavy libraries is slow and prints warnings
