"""Shards out to workers, failures back in the queue, and the merge at the end."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import cloudpickle
from distributed import Client, Future

from . import shard
from .progress import Progress

# Between two looks at everything.
LOOK_S = 0.2
# Until a shard that failed is tried again: this, then twice as long each time.
WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
# What cancelled shards get to end before the driver goes.
PATIENCE_S = 30.0

# Scheduler and workers get the code itself, as bytes that only the worker opens: neither needs this package.
cloudpickle.register_pickle_by_value(shard)
CODE = cloudpickle.dumps(shard.run)
CALL = "__import__('pickle').loads(code)(job)"


class Failure(Exception):
    """Why a run ends, in words for the user; ``code`` is the exit status."""

    def __init__(self, message: str, hint: Optional[str] = None, code: int = 1) -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code


class Interrupted(Exception):
    """The user, or whoever reads what is told, wants no more."""


@dataclass
class Task:
    """A call of the program, and what became of it."""

    name: str
    command: list[str]
    attempts: int = 0
    due: float = 0.0
    future: Optional[Future] = None


@dataclass
class Driver:
    """Runs tasks on the workers of a client."""

    client: Client
    progress: Progress
    folder: str
    token: str
    retries: int
    topic: str = field(default_factory=lambda: f"rs-seg-dask-{uuid.uuid4().hex}")
    stop: threading.Event = field(default_factory=threading.Event)
    _events: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)
    _open: set[tuple[Any, Any]] = field(default_factory=set)
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.client.subscribe_topic(self.topic, self._hear)

    def check_workers(self) -> None:
        """Refuses workers that do not see the driver's files."""
        seen = self.client.run(shard.sees, self.token, self.folder, on_error="return")
        blind = sorted(str(address) for address, sees in seen.items() if sees is not True)
        if blind:
            more = f" and {len(blind) - 1} more workers" if len(blind) > 1 else ""
            raise _unshared(f"the worker {blind[0]}{more}", self.folder, self.token)
        for address, threads in self.client.nthreads().items():
            if threads > 1:
                self.progress.warning(
                    f"the worker {address} runs {threads} shards side by side, and each takes all its cores: "
                    "start workers with --nthreads 1"
                )
                break

    def run(self, tasks: list[Task], on_percent: Any, on_done: Any) -> list[str]:
        """Runs tasks until all are done; what each printed comes back.

        Raises `Failure` when one fails for good, and `Interrupted` when somebody asks to stop; then none runs any more.
        """
        results: dict[str, str] = {}
        waiting = list(tasks)
        running: list[Task] = []
        try:
            while waiting or running:
                if self.stop.is_set():
                    raise Interrupted
                if self.client.status not in ("running", "connecting"):
                    raise Failure(
                        "the scheduler is gone",
                        "start it again; the same command goes on with the shards that are not finished",
                    )
                now = time.monotonic()
                for task in [task for task in waiting if task.due <= now]:
                    waiting.remove(task)
                    running.append(task)
                    self._submit(task)
                self._listen(on_percent)
                for task in [task for task in running if task.future is not None and task.future.done()]:
                    running.remove(task)
                    outcome = self._outcome(task)
                    if outcome["status"] == "done":
                        results[task.name] = outcome["result"]
                        on_done(task.name)
                    else:
                        self._again(task, outcome)
                        waiting.append(task)
                self.progress.tick(len(self._open))
                time.sleep(LOOK_S)
        except BaseException:
            self._cancel(running)
            raise
        self._listen(on_percent)
        return [results[task.name] for task in tasks]

    def _submit(self, task: Task) -> None:
        task.attempts += 1
        job = {
            "command": task.command,
            "folder": self.folder,
            "token": self.token,
            "topic": self.topic,
            "name": task.name,
        }
        key = f"rs-seg-{task.name}-{task.attempts}-{self.topic[-8:]}"
        task.future = self.client.submit(eval, CALL, {"code": CODE, "job": job}, key=key, pure=False)

    def _outcome(self, task: Task) -> dict[str, Any]:
        future, task.future = task.future, None
        assert future is not None
        if future.status == "finished":
            return future.result()
        if future.status in ("cancelled", "lost"):
            return {"status": "cancelled"}
        # Not the program's error: dask gave up on the task, most often since its workers died.
        error = future.exception()
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return {
            "status": "killed",
            "message": f"dask gave up on {task.name}: {reason}",
            "hint": "look at the workers' logs; they may need more memory than they have: --max-memory",
        }

    def _again(self, task: Task, outcome: dict[str, Any]) -> None:
        """Puts a task that failed back, unless that is of no use."""
        status, message = outcome["status"], outcome.get("message", "")
        if status == "usage":
            raise Failure(message, None, 2)
        if status == "missing":
            hint = f"install rs-seg on {outcome['host']}, or name it with --rs-seg PATH"
            raise Failure(f"{message} on {outcome['host']}", hint)
        if status == "unshared":
            raise _unshared(f"the worker on {outcome['host']}", self.folder, self.token)
        if task.attempts > self.retries:
            if status == "cancelled":
                message = f"{task.name} was cancelled by the scheduler"
            raise Failure(message, outcome.get("hint"))
        wait = min(WAIT_S * 2 ** (task.attempts - 1), LONGEST_WAIT_S)
        task.due = time.monotonic() + wait
        first = message.splitlines()[0] if message else "it was cancelled by the scheduler"
        self.progress.warning(f"{task.name} is tried again, {task.attempts} of {self.retries} times: {_plain(first)}")

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        self._events.put(event[1])

    def _listen(self, on_percent: Any) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            kind, name = event.get("event"), str(event.get("name"))
            mark = (name, event.get("worker", event.get("host")))
            if kind == "begun":
                # One that begins anew elsewhere has lost its worker.
                self._open = {known for known in self._open if known[0] != name} | {mark}
            elif kind == "ended":
                self._open = {known for known in self._open if known[0] != name}
            elif kind == "progress":
                on_percent(name, float(event.get("percent") or 0.0))
            elif kind == "warning" and event.get("message") not in self._warned:
                # What all shards say is told once.
                self._warned.add(str(event.get("message")))
                self.progress.warning(str(event.get("message")))

    def _cancel(self, running: list[Task]) -> None:
        """Cancels tasks, and waits until their programs have ended."""
        futures = [task.future for task in running if task.future is not None]
        try:
            self.client.cancel(futures, force=True)
        except Exception:
            # Without a scheduler the workers end by themselves, and their programs with them.
            return
        until = time.monotonic() + PATIENCE_S
        self._listen(lambda *_: None)
        while self._open and time.monotonic() < until and self.client.status == "running":
            time.sleep(LOOK_S)
            self._listen(lambda *_: None)


def _unshared(who: str, folder: str, token: str) -> Failure:
    message = f"{who} does not see the driver's files: {folder} and {os.path.dirname(token)}"
    hint = "driver and workers need a file system in common: run in a folder, and write to one, that all of them have"
    return Failure(message, hint)


def _plain(message: str) -> str:
    return message[len("error: ") :] if message.startswith("error: ") else message


def make_token(beside: Path) -> Path:
    """A file that tells whether others see a folder."""
    token = beside / f".rs-seg-dask-{uuid.uuid4().hex}"
    try:
        token.touch()
    except OSError as error:
        raise Failure(f"cannot write to the folder {beside}: {error.strerror}", "choose another one with --out") from None
    return token


def listen_to_signals(stop: threading.Event) -> None:
    """The first Ctrl-C asks, the second ends the driver."""

    def hear(number: int, _frame: Any) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)


def log_level() -> int:
    """What is told of dask's log, which is for its developers: all where RS_SEG_LOG is set."""
    return logging.INFO if os.environ.get("RS_SEG_LOG") else logging.CRITICAL


def quiet() -> None:
    """Keeps dask's log off the user's terminal."""
    for name in ("distributed", "tornado", "asyncio", "bokeh"):
        logging.getLogger(name).setLevel(log_level())
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
