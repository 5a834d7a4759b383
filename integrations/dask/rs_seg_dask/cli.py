"""``rs-seg-dask INPUT... --out classes.tif (--scheduler ADDRESS | --local N)``."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

from . import __version__
from .progress import Progress

# Shards a worker gets where the user does not say: enough to even out, few enough to start seldom.
SHARDS_A_WORKER = 4
# What the first worker gets to come.
WORKERS_S = 10.0
# Flags of infer that concern merging, and whether a value follows: what both need, and what a shard has no use for.
BOTH = {"--probabilities": True, "--confidence": True, "--no-manifest": False, "--overwrite": False, "--config": True}
MERGE_ONLY = {"--of": True, "--co": True}
PARTS = ".rs-seg-parts"

DESCRIPTION = """\
Runs the shards of `rs-seg infer` on dask.distributed, and merges them.

Each shard is a process of rs-seg on a worker. One whose worker dies is run again elsewhere and goes on from its
finished strips; so does the same command after Ctrl-C. Workers need rs-seg and a file system that they share with
this program, but not this package.
"""

EXAMPLES = """\
examples:
  Two workers on this machine:
    rs-seg-dask ortho.tif --out classes.tif --local 2
  A cluster, forty shards, and flags of infer after two dashes:
    rs-seg-dask /data/ortho.vrt --out /data/classes.tif --scheduler tcp://head:8786 --shards 40 -- --model net.safetensors --tta flip
  Every raster of a list by itself:
    rs-seg-dask --list sheets.txt --each --out classes/ --scheduler tcp://head:8786

exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="rs-seg-dask",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s INPUT... --out FILE (--scheduler ADDRESS | --local N) [options] [-- flags of infer]",
        allow_abbrev=False,
    )
    made.add_argument("inputs", nargs="*", metavar="INPUT", help="rasters, as `rs-seg infer` takes them")
    made.add_argument("--list", metavar="FILE", help="file with more inputs, one a line")
    made.add_argument("--each", action="store_true", help="segment every raster of the list by itself; nothing is merged")
    made.add_argument("--out", required=True, metavar="FILE", help="class raster to write; with --each the folder")
    where = made.add_mutually_exclusive_group(required=True)
    where.add_argument("--scheduler", metavar="ADDRESS", help="a running scheduler, such as tcp://head:8786")
    where.add_argument("--local", type=_count, metavar="N", help="so many workers on this machine")
    made.add_argument("--shards", type=_count, metavar="M", help=f"parts of the work (default: {SHARDS_A_WORKER} a worker)")
    made.add_argument("--retries", type=_amount, default=2, metavar="K", help="how often a shard that failed is tried again (default: 2)")
    made.add_argument("--rs-seg", default="rs-seg", metavar="PATH", help="the program on the workers (default: rs-seg)")
    made.add_argument("--vector", metavar="FILE", help="polygons too, made while merging")
    made.add_argument("--keep-parts", action="store_true", help="keep the shards' folders after merging")
    made.add_argument("--progress", choices=["auto", "bar", "json", "none"], default="auto", help="how progress is told (default: auto)")
    made.add_argument("--version", action="version", version=f"rs-seg-dask {__version__}")
    return made


def main(argv: Optional[Sequence[str]] = None) -> NoReturn:
    """Runs the command line and ends the process."""
    status = run(list(sys.argv[1:] if argv is None else argv))
    sys.stdout.flush()
    sys.exit(status)


def run(argv: list[str]) -> int:
    """Runs the command line; the exit status comes back."""
    own, flags = split(argv)
    try:
        arguments = parser().parse_args(own)
    except SystemExit as end:
        return int(end.code or 0)
    problem = wrong(arguments, flags)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    from . import driver

    driver.quiet()
    progress = Progress(arguments.progress, merges=not arguments.each)
    try:
        return _run(arguments, flags, progress)
    except driver.Failure as failure:
        progress.error(failure.message, failure.hint)
        return failure.code
    except driver.Interrupted:
        hint = "the same command goes on with the shards that are not finished"
        progress.error("interrupted", hint, "interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read what was told is gone.
        sys.stderr = open(os.devnull, "w")
        return 1


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """This program's arguments, and those after two dashes."""
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def wrong(arguments: argparse.Namespace, flags: list[str]) -> Optional[str]:
    """What argparse does not see."""
    if not arguments.inputs and not arguments.list:
        return "no INPUT: name rasters, or a --list of them"
    if arguments.each and (arguments.inputs or not arguments.list):
        return "--each goes with --list FILE and no INPUT"
    if arguments.each and arguments.vector:
        return "--vector is made while merging, and --each merges nothing: give it after the two dashes"
    own = ("--out", "--shard", "--progress", "--json", "--list", "--each", "--vector")
    for flag in flags:
        if flag.split("=")[0] in own and not (arguments.each and flag.startswith("--vector")):
            return f"{flag.split('=')[0]} after the two dashes: rs-seg-dask gives that flag itself"
    return None


def infer_command(arguments: argparse.Namespace, flags: list[str], shard: str, threads: Optional[int]) -> list[str]:
    """The call of the program for a shard."""
    command = [arguments.rs_seg, "infer", "--out", arguments.out, "--shard", shard, "--progress", "json", "--json"]
    if arguments.list:
        command += ["--list", arguments.list]
    if arguments.each:
        command.append("--each")
    if threads is not None and not any(flag.split("=")[0] == "--threads" for flag in flags):
        command += ["--threads", str(threads)]
    # Where every raster is an output by itself, its format is the shard's to write.
    own = flags if arguments.each else for_shards(flags)
    return [*command, *own, *(["--", *arguments.inputs] if arguments.inputs else [])]


def merge_command(arguments: argparse.Namespace, flags: list[str]) -> list[str]:
    """The call of the program that puts the shards together."""
    command = [arguments.rs_seg, "merge", arguments.out + PARTS, "--out", arguments.out, "--progress", "json", "--json"]
    if arguments.vector:
        command += ["--vector", arguments.vector]
    if not arguments.keep_parts:
        command.append("--remove-parts")
    return command + shared(flags)


def shared(flags: list[str]) -> list[str]:
    """Those flags of infer that merging needs too."""
    return [word for group in _groups(flags) if group[0].split("=")[0] in {**BOTH, **MERGE_ONLY} for word in group]


def for_shards(flags: list[str]) -> list[str]:
    """Those flags that a shard takes."""
    return [word for group in _groups(flags) if group[0].split("=")[0] not in MERGE_ONLY for word in group]


def _groups(flags: list[str]) -> list[list[str]]:
    """Flags with the values that follow them, as far as that matters here."""
    groups, at = [], 0
    while at < len(flags):
        name, equals, _ = flags[at].partition("=")
        words = 2 if {**BOTH, **MERGE_ONLY}.get(name, False) and not equals else 1
        groups.append(flags[at : at + words])
        at += words
    return groups


def shards_before(out: str) -> Optional[int]:
    """Into how many shards an earlier run cut the same output."""
    try:
        names = os.listdir(out + PARTS)
    except OSError:
        return None
    counts = {int(found.group(1)) for found in (re.fullmatch(r"\d+-of-(\d+)", name) for name in names) if found}
    return counts.pop() if len(counts) == 1 else None


def _run(arguments: argparse.Namespace, flags: list[str], progress: Progress) -> int:
    import threading

    from . import driver

    out = Path(os.path.abspath(arguments.out))
    # With --each it is the folder itself.
    folder = out if arguments.each else out.parent
    if not folder.is_dir():
        raise driver.Failure(f"cannot write {arguments.out}: the folder {folder} does not exist", f"make it: mkdir -p {folder}")
    overwrites = "--overwrite" in flags
    for path in [] if arguments.each or overwrites else [arguments.out, *([arguments.vector] if arguments.vector else [])]:
        if os.path.exists(path):
            raise driver.Failure(f"{path} exists", "-- --overwrite replaces it when the new one is whole")
    token = driver.make_token(out.parent)
    stop = threading.Event()
    # Workers of this machine are to leave Ctrl-C to the driver.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cluster: Any = None
    client: Any = None
    try:
        cluster, client = _connect(arguments)
        driver.listen_to_signals(stop)
        until = time.monotonic() + WORKERS_S
        while not client.nthreads() and time.monotonic() < until and not stop.is_set():
            time.sleep(0.2)
        workers = len(client.nthreads())
        if workers == 0:
            raise driver.Failure("the scheduler has no workers", "start some: dask worker ADDRESS --nthreads 1")
        shards = arguments.shards or shards_before(arguments.out) or SHARDS_A_WORKER * workers
        progress.start(shards)
        threads = max(1, _cores() // arguments.local) if arguments.local else None
        runner = driver.Driver(client, progress, os.getcwd(), str(token), arguments.retries, stop=stop)
        runner.check_workers()
        progress.note(f"{shards} shards on {workers} workers")
        names = [f"shard {index} of {shards}" for index in range(shards)]
        tasks = [
            driver.Task(name, infer_command(arguments, flags, f"{index}/{shards}", threads))
            for index, name in enumerate(names)
        ]
        results = runner.run(tasks, progress.shard, progress.finished)
        if arguments.each:
            progress.result({"classes": arguments.out})
            print(arguments.out)
            return 0
        progress.merging(0.1)
        merge = driver.Task("the merge", merge_command(arguments, flags))
        results = runner.run([merge], lambda _, percent: progress.merging(percent), lambda _: progress.merging(100.0))
        outputs = _outputs(results[0]) or {"classes": arguments.out}
        progress.result(outputs)
        for path in outputs.values():
            print(path)
        return 0
    finally:
        token.unlink(missing_ok=True)
        for part in (client, cluster):
            if part is not None:
                part.close(timeout=10)


def _connect(arguments: argparse.Namespace) -> tuple[Any, Any]:
    from distributed import Client, LocalCluster

    from . import driver

    if arguments.local:
        cluster = LocalCluster(
            n_workers=arguments.local,
            threads_per_worker=1,
            # Its memory is rs-seg's, which dask does not see: --max-memory limits that.
            memory_limit=0,
            dashboard_address=None,
            silence_logs=driver.log_level(),
        )
        return cluster, Client(cluster)
    try:
        return None, Client(arguments.scheduler, timeout=30)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise driver.Failure(
            f"cannot reach the scheduler {arguments.scheduler}: {reason}",
            "its address is what `dask scheduler` prints, such as tcp://head:8786",
        ) from None


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outputs(printed: str) -> dict[str, str]:
    try:
        outputs = json.loads(printed)["outputs"]
        return {str(what): str(path) for what, path in outputs.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _count(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return number


def _amount(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("a whole number from 0")
    return int(text)
