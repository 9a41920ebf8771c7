"""Real processes: started, watched, killed, waited for."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
LONGEST = 120.0
"""Seconds after which an execution counts as hanging."""


class Hangs(Exception):  # noqa: N818 - named after the cause
    """A process did not end."""


@dataclass
class Output:
    """Collects what a process writes to a pipe."""

    reader: int
    writer: int
    data: bytearray = field(default_factory=bytearray)

    @classmethod
    def open(cls) -> Self:
        """Make the pipe and begin to collect."""
        output = cls(*os.pipe())
        output._thread = threading.Thread(target=output._collect, daemon=True)  # type: ignore[attr-defined]
        output._thread.start()  # type: ignore[attr-defined]
        return output

    def text(self) -> str:
        """Return all of it, once every writer is gone."""
        self._thread.join()  # type: ignore[attr-defined]
        return self.data.decode(errors="replace")

    def _collect(self) -> None:
        while piece := os.read(self.reader, 65536):
            self.data += piece
        os.close(self.reader)


@dataclass(frozen=True)
class Child:
    """A child of the zygote."""

    zygote: Zygote
    pid: int
    handle: int

    def kill(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or minus the signal that ended it.

        Raises:
            Hangs: It does not end.
        """
        ended, _, _ = select.select([self.handle], [], [], LONGEST)
        if not ended:
            self.kill(signal.SIGKILL)
        code = self.zygote.status_of(self.pid)
        if not ended:
            message = f"process {self.pid} did not end within {LONGEST:g} s"
            raise Hangs(message)
        return code


class Zygote:
    """The process that forks tap and target; see ``zygote.py``.

    Args:
        sabotage: How the target is broken; None when it is not.
    """

    def __init__(self, sabotage: str | None = None) -> None:
        """Remember how to start it."""
        self._sabotage = sabotage

    def __enter__(self) -> Self:
        """Start it, and wait until it is ready: the first case must not find it slower than the others do.

        If it did not start, nothing is said here, and the first case stumbles over it.
        """
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.zygote", str(theirs.fileno()), self._sabotage or ""],
            cwd=ROOT / "tests",
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._socket.recv(64)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hang up."""
        self._socket.close()
        self._process.wait()

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        folder: Path,
        streams: Sequence[int],
        largest_file: int | None = None,
    ) -> Child:
        """Fork a child.

        Args:
            program: ``tap``, ``target`` or ``expensein``.
            arguments: Its arguments.
            folder: Where it runs.
            streams: Its standard streams.
            largest_file: What no file of it may grow beyond, in bytes.
        """
        order = {
            "program": program,
            "arguments": list(arguments),
            "folder": str(folder),
            "largest_file": largest_file,
        }
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], list(streams))
            pid = int(self._socket.recv(64))
        return Child(self, pid, os.pidfd_open(pid))

    def status_of(self, pid: int) -> int:
        """Return the exit code of a child that has ended."""
        with self._lock:
            self._socket.send(json.dumps({"wait": pid}).encode())
            return os.waitstatus_to_exitcode(int(self._socket.recv(64)))


@dataclass
class Execution:
    """What one execution left behind.

    Attributes:
        codes: Program → exit code, or minus the signal that ended it.
        states: The STATE messages that the target passed on.
        log: What the programs said.
    """

    codes: dict[str, int]
    states: list[Any]
    log: str


class Pair:
    """Tap and target joined by a pipe, or the target fed from a file."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        """Remember where to run."""
        self._zygote = zygote
        self._folder = folder
        self._victims: dict[str, Child] = {}
        self._lock = threading.Lock()

    def run(
        self,
        recorded: Path | None,
        largest_file: int | None = None,
        kill_at: float | None = None,
        kill: Any = None,
    ) -> Execution:
        """Run to the end.

        Args:
            recorded: What to feed the target with; None for the tap itself.
            largest_file: What no file of the target may grow beyond, in bytes.
            kill_at: Seconds after which ``kill`` is called.
            kill: Kills somebody.
        """
        log, out = Output.open(), Output.open()
        victims = {}
        if recorded is None:
            source, sink = os.pipe()
            nothing = os.open(os.devnull, os.O_RDONLY)
            victims["tap"] = self._zygote.start(
                "tap", ["--config", "tap.json"], self._folder, [nothing, sink, log.writer]
            )
            os.close(nothing)
            os.close(sink)
        else:
            source = os.open(recorded, os.O_RDONLY)
        victims["target"] = self._zygote.start(
            "target",
            ["--config", "target.json"],
            self._folder,
            [source, out.writer, log.writer],
            largest_file,
        )
        for descriptor in (source, out.writer, log.writer):
            os.close(descriptor)
        self._victims = victims
        timer = threading.Timer(kill_at, kill) if kill_at is not None else None
        if timer:
            timer.start()
        try:
            codes = {program: child.wait() for program, child in victims.items()}
        finally:
            if timer:
                timer.cancel()
                timer.join()
            self._close()
        states = [json.loads(line) for line in out.text().splitlines(keepends=True) if line.endswith("\n")]
        return Execution(codes, states, log.text())

    def kill(self, programs: Sequence[str], number: int) -> int:
        """Send a signal to those that are at work; return how many that were."""
        with self._lock:
            children = [child for program, child in self._victims.items() if program in programs]
            for child in children:
                child.kill(number)
        return len(children)

    def fill_the_disk(self) -> None:
        """Let no file of the target grow any more; this holds for root, too."""
        with self._lock:
            if target := self._victims.get("target"):
                resource.prlimit(target.pid, resource.RLIMIT_FSIZE, (0, 0))

    def _close(self) -> None:
        with self._lock:
            for child in self._victims.values():
                os.close(child.handle)
            self._victims = {}

    def record(self, path: Path) -> int:
        """Let the tap alone write to a file; return its exit code."""
        log = Output.open()
        with path.open("wb") as file, Path(os.devnull).open("rb") as nothing:
            child = self._zygote.start(
                "tap", ["--config", "tap.json"], self._folder, [nothing.fileno(), file.fileno(), log.writer]
            )
        os.close(log.writer)
        code = child.wait()
        os.close(child.handle)
        log.text()
        return code

    def history(self) -> tuple[int, str]:
        """Run ``expensein history --verify``; return its exit code and what it said."""
        log = Output.open()
        with Path(os.devnull).open("rb") as nothing:
            child = self._zygote.start(
                "expensein",
                ["history", "--config", "target.json", "--verify"],
                self._folder,
                [nothing.fileno(), log.writer, log.writer],
            )
        os.close(log.writer)
        code = child.wait()
        os.close(child.handle)
        return code, log.text()


class Meltano:
    """``meltano run`` in a project of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Remember where to run, and with what environment."""
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, kill_at: float | None = None, kill: Any = None) -> Execution:
        """Run to the end of every process that it started; see :meth:`Pair.run`."""
        log = Output.open()
        self._process = subprocess.Popen(
            [ROOT / ".venv/bin/meltano", "--environment=live", "run", "tap-accountsiq", "target-expensein"],
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=log.writer,
            stderr=log.writer,
            start_new_session=True,
        )
        os.close(log.writer)
        timer = threading.Timer(kill_at, kill) if kill_at is not None else None
        if timer:
            timer.start()
        try:
            code = self._process.wait(LONGEST)
            self._wait_for_orphans()
        finally:
            if timer:
                timer.cancel()
                timer.join()
            self.kill(signal.SIGKILL, everybody=True)
        return Execution({"meltano": code}, [], log.text())

    def kill(self, number: int, *, everybody: bool) -> None:
        """Send a signal to Meltano, or to all that it started, too."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                (os.killpg if everybody else os.kill)(self._process.pid, number)

    def _wait_for_orphans(self) -> None:
        """Wait until nothing is left of the session: what outlives Meltano may still write."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            try:
                os.killpg(self._process.pid if self._process else 0, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        message = "what Meltano started did not end"
        raise Hangs(message)
