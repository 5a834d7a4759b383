"""What runs on a worker: one call of the program, watched.

Workers need not have this package: the module travels with the task, so it may import the standard library and
distributed only.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, Optional

# How often a running program is looked at.
LOOK_S = 0.2
# Progress closer than this to the one before is left out.
TELL_S = 0.5
# What a program that was asked to end gets to write its last strip.
PATIENCE_S = 20.0
# Lines of a program's talk that are kept for its error.
KEPT_LINES = 20


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the program of a job to its end, or until nobody wants the task any more.

    A job has ``command``, ``folder`` (to run in), ``token`` (a file that all machines must see), ``topic`` and ``name``
    (of what is told about it). The outcome has ``status``: ``done``, ``failed``, ``usage``, ``killed``, ``cancelled``,
    ``unshared`` or ``missing``. Nothing is raised: what went wrong is the program's to say.
    """
    tell, is_wanted = _ways(job)
    where = socket.gethostname()
    if not os.path.exists(job["token"]) or not os.path.isdir(job["folder"]):
        return {"status": "unshared", "host": where}
    try:
        child = subprocess.Popen(
            job["command"],
            cwd=job["folder"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in a terminal is the driver's to hear.
            start_new_session=True,
        )
    except OSError as error:
        return {"status": "missing", "host": where, "message": f"cannot run {job['command'][0]}: {error.strerror}"}
    tell({"event": "begun", "host": where, "pid": child.pid})
    try:
        return {"host": where, **_watch(child, tell, is_wanted)}
    finally:
        # Whatever happened here: no program goes on that nobody watches.
        _end(child)
        tell({"event": "ended"})


def sees(token: str, folder: str) -> bool:
    """Whether this machine has a file and a folder."""
    return os.path.exists(token) and os.path.isdir(folder)


def _watch(
    child: subprocess.Popen[bytes], tell: Callable[[dict[str, Any]], None], is_wanted: Callable[[], bool]
) -> dict[str, Any]:
    lines: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()
    result: list[bytes] = []

    def talk() -> None:
        for line in child.stderr or ():
            lines.put(line)
        lines.put(None)

    readers = [threading.Thread(target=talk, daemon=True)]
    readers.append(threading.Thread(target=lambda: result.append(child.stdout.read()), daemon=True))  # type: ignore
    for reader in readers:
        reader.start()
    error: dict[str, Any] = {}
    kept: list[str] = []
    told = 0.0
    open_talk = True
    while open_talk:
        try:
            line = lines.get(timeout=LOOK_S)
        except queue.Empty:
            line = b""
        if not is_wanted():
            return {"status": "cancelled"}
        if line is None:
            open_talk = False
        elif line:
            event = _event(line)
            kind = event.get("event")
            if kind == "error":
                error = event
            elif kind == "warning":
                tell(event)
            elif kind == "progress":
                is_last = event.get("done") == event.get("total")
                if is_last or time.monotonic() - told >= TELL_S:
                    told = time.monotonic()
                    tell(event)
            elif kind is None:
                kept = [*kept, line.decode("utf-8", "replace").rstrip()][-KEPT_LINES:]
    while child.poll() is None:
        if not is_wanted():
            return {"status": "cancelled"}
        time.sleep(LOOK_S)
    readers[1].join()
    code = child.returncode
    if code == 0:
        return {"status": "done", "result": b"".join(result).decode("utf-8", "replace")}
    if code < 0:
        what = f"the program was killed by signal {-code} ({signal.Signals(-code).name})"
        return {"status": "killed", "message": what, "hint": "it may need more memory: look at --max-memory"}
    status = "usage" if code == 2 else "failed"
    message = error.get("message") or "\n".join(kept).strip() or f"the program ended with status {code}"
    return {"status": status, "code": code, "message": message, "hint": error.get("hint")}


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _end(child: subprocess.Popen[bytes]) -> None:
    """Asks a program that still runs to end, then ends it; it leaves its finished strips behind."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _ways(job: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], None], Callable[[], bool]]:
    """How to tell the driver something, and how to learn whether it still wants this."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def tell(event: dict[str, Any]) -> None:
        worker.log_event(job["topic"], {"name": job["name"], **event})

    def is_wanted() -> bool:
        # A task that was cancelled, or whose driver is gone, is no longer the worker's to execute.
        task = worker.state.tasks.get(key)
        running = task is not None and task.state in ("executing", "long-running")
        return running and worker.status.name in ("running", "paused", "init")

    return tell, is_wanted
