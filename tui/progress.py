"""What `run` shows in the foreground: a Rich progress bar on a terminal, plain lines elsewhere.

It reads the database as any screen does; the runner knows nothing of it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.store.presence import rescued
from hpcvirt.core.store.queries import SnapshotReader
from hpcvirt.core.store.records import Event, Snapshot
from hpcvirt.core.text import clean_line
from hpcvirt.tui.words import duration

BAR_S = 0.5
LINE_S = 30.0


@contextmanager
def shown_progress(database: Path) -> Iterator[None]:
    """Show how far a database's campaign is, from a thread, until the block ends."""
    show = _Bar() if sys.stderr.isatty() else _Lines()
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(database, show, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=5)


class _Lines:
    """A line now and then, and every event."""

    every_s = LINE_S

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def progress(self, snapshot: Snapshot) -> None:
        click.echo(_line(snapshot), err=True)

    def event(self, event: Event) -> None:
        click.echo(_event_line(event), err=True)


class _Bar:
    """A bar that moves, with the events above it."""

    every_s = BAR_S

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("starting", total=None, left="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, snapshot: Snapshot) -> None:
        self._bar.update(
            self._task,
            description=snapshot.campaign.name,
            total=snapshot.planned,
            completed=snapshot.ok + snapshot.given_up,
            left=_left(snapshot),
        )

    def event(self, event: Event) -> None:
        self._bar.console.print(_event_line(event), markup=False, highlight=False)


def _watch(database: Path, show: _Lines | _Bar, ended: threading.Event) -> None:
    last = 0
    is_last_look = False
    reader = SnapshotReader(database)
    with show:
        while True:
            try:
                snapshot = reader.read()
            except HpcvirtError:
                # Locked for the moment; the runner itself says what is wrong with its database.
                snapshot = None
                if (saved := rescued(reader.path)) is not None and not reader.path.exists():
                    reader = SnapshotReader(saved)
            if snapshot is not None:
                last = _tell(snapshot, show, last)
            if is_last_look:
                return
            is_last_look = ended.wait(show.every_s)


def _tell(snapshot: Snapshot, show: _Lines | _Bar, last: int) -> int:
    fresh = [event for event in snapshot.events if event.id > last]
    for event in fresh:
        show.event(event)
    show.progress(snapshot)
    return fresh[-1].id if fresh else last


def _line(snapshot: Snapshot) -> str:
    given_up = f", {snapshot.given_up} given up" if snapshot.given_up else ""
    return f"{snapshot.campaign.name}: {snapshot.ok} of {snapshot.planned} runs ok{given_up}, {_left(snapshot)}"


def _left(snapshot: Snapshot) -> str:
    return "time left not known yet" if snapshot.eta_s is None else f"{duration(snapshot.eta_s)} left"


def _event_line(event: Event) -> str:
    return f"{event.at} {event.level} {event.node or '-'}: {clean_line(event.message)}"
