"""How far all shards together are: a bar on a terminal, lines at growing intervals elsewhere, or JSON events."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Optional, TextIO

# As rs-seg itself: the first line after two seconds, each interval half as long again, five minutes at most.
FIRST_S = 2.0
GROWTH = 1.5
LONGEST_S = 300.0
BAR = 30


class Progress:
    """Tells how far a run is. ``style`` is auto, bar, json or none."""

    def __init__(self, style: str, merges: bool, out: Optional[TextIO] = None) -> None:
        self._out = out or sys.stderr
        is_terminal = self._out.isatty()
        self._style = style if style in ("json", "none") else "bar" if is_terminal else "lines"
        self._total = 1
        # The shares of the whole: merging is copying.
        self._share = 0.95 if merges else 1.0
        self._percents: dict[str, float] = {}
        self._done = 0
        self._merging = 0.0
        self._started = time.monotonic()
        self._interval = FIRST_S
        self._due = FIRST_S
        self._drawn = False
        self._reached = 0.0
        self._last: Optional[tuple[Any, ...]] = None

    def start(self, total: int) -> None:
        """So many shards are about to be computed."""
        self._total = total
        self._event({"event": "start", "command": "rs-seg-dask", "shards": total})

    def shard(self, name: str, percent: float) -> None:
        """A shard is so far."""
        self._percents[name] = max(percent, self._percents.get(name, 0.0))

    def finished(self, name: str) -> None:
        """A shard is done."""
        self._percents[name] = 100.0
        self._done += 1

    def merging(self, percent: float) -> None:
        """The shards are being put together."""
        self._merging = max(percent, self._merging)

    def percent(self) -> float:
        """Of the whole run; it never falls."""
        shards = sum(self._percents.values()) / self._total
        now = shards * self._share + self._merging * (1.0 - self._share)
        self._reached = min(100.0, max(self._reached, now))
        return self._reached

    def tick(self, running: int) -> None:
        """Tells what is due."""
        percent = self.percent()
        elapsed = time.monotonic() - self._started
        stage = "merge" if self._merging > 0 else "infer"
        if self._style == "json":
            now = (stage, self._done, round(percent, 1))
            if now != self._last:
                self._last = now
                event = {"event": "progress", "stage": stage, "done": self._done, "total": self._total}
                self._event({**event, "percent": round(percent, 1), "running": running})
            return
        text = f"{percent:5.1f} %  {self._done} of {self._total} shards done, {running} running"
        if stage == "merge":
            text = f"{percent:5.1f} %  merging"
        elif percent >= 1.0:
            text += f"; about {_time(elapsed * (100.0 - percent) / percent)} left"
        if self._style == "bar":
            filled = int(BAR * percent / 100.0)
            self._write(f"\r\x1b[K[{'#' * filled}{'-' * (BAR - filled)}] {text}")
            self._drawn = True
        elif self._style == "lines" and elapsed >= self._due:
            self._interval = min(self._interval * GROWTH, LONGEST_S)
            self._due = elapsed + self._interval
            self._write(f"{text}\n")

    def note(self, text: str) -> None:
        """Something the user should know."""
        if self._style == "json":
            self._event({"event": "log", "level": "info", "message": text})
        else:
            self._line(text)

    def warning(self, text: str) -> None:
        if self._style == "json":
            self._event({"event": "warning", "message": text})
        else:
            self._line(f"warning: {text}")

    def error(self, message: str, hint: Optional[str], code: str = "failed") -> None:
        if self._style == "json":
            self._event({"event": "error", "code": code, "message": message, "hint": hint})
            return
        first = message if message.startswith("error: ") else f"error: {message}"
        self._line(first)
        if hint:
            self._line(f"hint: {hint}")

    def result(self, outputs: dict[str, Any]) -> None:
        self.clear()
        self._event({"event": "result", "outputs": outputs})

    def clear(self) -> None:
        """Takes the bar away."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _line(self, text: str) -> None:
        self.clear()
        self._write(f"{text}\n")

    def _event(self, event: dict[str, Any]) -> None:
        if self._style == "json":
            self._write(f"{json.dumps(event)}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _time(seconds: float) -> str:
    if seconds >= 86400:
        return f"{seconds / 86400:.1f} d"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
