"""The one reader of the database while the screen is open: a thread that delivers frozen views."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.process import ProcessIdentity, is_alive

if TYPE_CHECKING:
    from hpcvirt.core.store.records import Snapshot
    from hpcvirt.tui.backend import Backend

INTERVAL_S = 1.0
"""As often as the monitor files samples: to look more often shows little and costs a look."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known of the database."""

    path: Path
    snapshot: Snapshot | None = None
    """The last one that could be read."""
    problem: str = ""
    """Why there is none, or none newer."""
    read_at: float = 0.0
    """When the snapshot was read, on the monotonic clock."""


class Watcher:
    """Reads the snapshot when the file changed or the runner came or went.

    A thread of its own, not a worker of the event loop: a read that hangs on a network file system must
    not keep the screen from closing.
    """

    def __init__(self, path: Path, backend: Backend, deliver: Callable[[View], object]) -> None:
        self._backend = backend
        self._deliver = deliver
        self._view = View(path)
        self._seen: object = None
        self._pulse: object = None
        """Of the snapshot in sight."""
        self._was_alive = False
        self._ended = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more. Does not wait."""
        self._ended.set()
        self._hurry.set()

    def hurry(self) -> None:
        """Look now, not at the next interval: something was just asked for."""
        self._hurry.set()

    def _watch(self) -> None:
        while not self._ended.is_set():
            view = self._look()
            if view is not None and not self._ended.is_set():
                self._view = view
                self._deliver(view)
            self._hurry.wait(INTERVAL_S)
            self._hurry.clear()

    def _look(self) -> View | None:
        """A new view, or None where nothing changed."""
        try:
            seen = self._backend.fingerprint(self._view.path)
            alive = self._is_runner_alive()
            if seen == self._seen and alive == self._was_alive and not self._view.problem:
                return None
            pulse = self._backend.pulse(self._view.path)
            old = self._view.snapshot
            if old is not None and (pulse, alive) == (self._pulse, self._was_alive) and not self._view.problem:
                self._seen = seen
                # Read as little as there is new; what is left of the time was reckoned when the rest was read.
                return replace(self._view, snapshot=replace(old, telemetry=self._backend.telemetry(self._view.path)))
            snapshot = self._backend.read_snapshot(self._view.path)
            self._seen, self._pulse = seen, pulse
            self._was_alive = is_alive(snapshot.runner.process) if snapshot.runner.process else False
            return View(self._view.path, snapshot, "", time.monotonic())
        except HpcvirtError as error:
            return self._failed(f"{error.message}; {error.hint}" if error.hint else error.message)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything, and must be said, not end this thread
            return self._failed(f"{type(error).__name__}: {error}")

    def _failed(self, problem: str) -> View | None:
        return None if problem == self._view.problem else replace(self._view, problem=problem)

    def _is_runner_alive(self) -> bool:
        process: ProcessIdentity | None = self._view.snapshot.runner.process if self._view.snapshot else None
        return process is not None and is_alive(process)
