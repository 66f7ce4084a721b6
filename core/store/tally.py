"""How far a campaign has come, counted so that looking again at very many runs costs next to nothing.

An attempt whose end is filed never changes, unless there is an amendment, so it is counted once: a later look counts
what has begun since.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hpcvirt.core.model import Status

OK = Status.OK.value

SPOILT = tuple(status.value for status in Status if status not in {Status.OK, Status.ABORTED})

SAYS_HOW_LONG = tuple(
    status.value for status in (Status.OK, Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE, Status.TIMEOUT)
)
"""Attempts that ended so say how long a run takes."""


class Place(NamedTuple):
    """Where runs are in the plan."""

    node: str
    kernel: str
    benchmark: int
    is_warmup: int


class Piece(NamedTuple):
    """Attempts of one place that ended in the same way."""

    attempts: int = 0
    runs: int = 0
    """Of ok ones: a run that is ok twice counts once."""
    timed: int = 0
    seconds: float = 0.0
    """All together, of those that are timed."""
    newest: int = 0
    """Row of the one that began last."""
    measured: int = 0
    """Of ok ones, with a value of the benchmark's headline metric."""
    sum_of_values: float = 0.0
    last_measured: int = 0
    """Row of the last one that is measured; 0: none is."""

    def with_more(self, more: Piece) -> Piece:
        """Both together."""
        return Piece(
            self.attempts + more.attempts,
            self.runs + more.runs,
            self.timed + more.timed,
            self.seconds + more.seconds,
            max(self.newest, more.newest),
            self.measured + more.measured,
            self.sum_of_values + more.sum_of_values,
            max(self.last_measured, more.last_measured),
        )

    @property
    def mean_value(self) -> float | None:
        """Of those that are measured, if any is."""
        return self.sum_of_values / self.measured if self.measured else None


NOTHING = Piece()


class GivenUp(NamedTuple):
    """Runs of one place that get no more attempts."""

    runs: int
    without_result: int
    """Neither is there an ok attempt from before."""
    for_good: int
    """Nobody has asked for them to be requeued."""


Pieces = Mapping[tuple[Place, str | None], Piece]

HEADLINE_METRICS = """
    SELECT benchmark, name, unit
    FROM (SELECT *, row_number() OVER (PARTITION BY benchmark ORDER BY is_primary DESC, position DESC) AS place
          FROM metrics)
    WHERE place = 1
"""
"""The one metric of each benchmark that a node's card has room for."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What is planned, and what became of it so far."""

    planned: Mapping[Place, int]
    pieces: Pieces
    """By place and status; None: under way."""
    given_up: Mapping[Place, GivenUp]

    @property
    def given_up_for_good(self) -> int:
        """Runs given up that nobody wants requeued."""
        return sum(given_up.for_good for given_up in self.given_up.values())

    def ok(self, places: Iterable[Place]) -> int:
        """Runs of these places with an ok attempt."""
        return sum(self.ended_ok(place).runs for place in places)

    def ended_ok(self, place: Place) -> Piece:
        """The ok attempts there."""
        return self._piece(place, OK)

    def spoilt(self, place: Place) -> int:
        """Attempts that ended neither ok nor aborted."""
        return sum(self._piece(place, status).attempts for status in SPOILT)

    def left(self, place: Place) -> int:
        """Runs that are still to be done."""
        given_up = self.given_up.get(place)
        return self.planned[place] - self.ok([place]) - (given_up.without_result if given_up else 0)

    def statuses(self) -> dict[str, int]:
        """Attempts by how they ended."""
        found: dict[str, int] = {}
        for (_, status), piece in self.pieces.items():
            if status is not None:
                found[status] = found.get(status, 0) + piece.attempts
        return dict(sorted(found.items()))

    def seconds_of_a_run(self) -> dict[int, float]:
        """What a run costs on average, by benchmark; of those that have run."""
        found: dict[int, Piece] = {}
        for (place, status), piece in self.pieces.items():
            if status in SAYS_HOW_LONG:
                found[place.benchmark] = found.get(place.benchmark, NOTHING).with_more(piece)
        return {benchmark: piece.seconds / piece.timed for benchmark, piece in found.items() if piece.timed}

    def last_places(self) -> dict[str, Place]:
        """Where the attempt is that began last, by node; of those that have any."""
        newest: dict[str, tuple[int, Place]] = {}
        for (place, _), piece in self.pieces.items():
            begun = piece.newest, place
            newest[place.node] = max(newest.get(place.node, begun), begun)
        return {node: place for node, (_, place) in newest.items()}

    def _piece(self, place: Place, status: str) -> Piece:
        return self.pieces.get((place, status), NOTHING)


@dataclass(slots=True)
class TallyReader:
    """Counts one database again and again. Belongs to one thread at a time."""

    _planned: Mapping[Place, int] = field(default_factory=dict)
    _last_amendment: int | None = None
    _settled: Pieces = field(default_factory=dict)
    """Attempts up to ``_settled_until``, all of which have ended."""
    _settled_until: int = 0

    def read(self, connection: sqlite3.Connection) -> Tally:
        """What there is now, by a transaction that is open."""
        (last_amendment,) = connection.execute("SELECT coalesce(max(id), 0) FROM amendments").fetchone()
        if last_amendment != self._last_amendment:
            self._planned = {Place(*place): planned for *place, planned in connection.execute(_PLANNED)}
            self._settled, self._settled_until = {}, 0
            self._last_amendment = last_amendment
        last, until = connection.execute(_REACHED).fetchone()
        if until < self._settled_until:
            self._settled, self._settled_until = {}, 0
        self._settled = _together(self._settled, _pieces(connection, self._settled_until, until))
        self._settled_until = until
        pieces = _together(self._settled, _pieces(connection, until, last))
        given_up = {Place(*row[:4]): GivenUp(*row[4:]) for row in connection.execute(_GIVEN_UP)}
        return Tally(self._planned, pieces, given_up)


def _pieces(connection: sqlite3.Connection, after: int, until: int) -> Pieces:
    if until <= after:
        return {}
    rows = connection.execute(_ATTEMPTS, (after, until))
    return {(Place(*row[:4]), row[4]): Piece(*row[5:]) for row in rows}


def _together(one: Pieces, other: Pieces) -> Pieces:
    return {**one, **{key: one.get(key, NOTHING).with_more(piece) for key, piece in other.items()}}


_PLANNED = """
    SELECT boots.node, boots.kernel, counted.benchmark, counted.is_warmup, sum(counted.planned)
    FROM (SELECT boot, benchmark, is_warmup, count(*) AS planned FROM runs GROUP BY 1, 2, 3) AS counted
    JOIN boots ON boots.id = counted.boot
    GROUP BY 1, 2, 3, 4
"""

# The rows of a table are in the order in which they were made, and none is ever deleted.
_REACHED = """
    SELECT coalesce(last, 0),
           coalesce((SELECT min(rowid) - 1 FROM attempts INDEXED BY attempts_under_way WHERE status IS NULL), last, 0)
    FROM (SELECT max(rowid) AS last FROM attempts)
"""

# Grouped by numbers first: by words it takes twice as long.
_ATTEMPTS = f"""
    WITH headlines AS ({HEADLINE_METRICS})
    SELECT boots.node, boots.kernel, benchmark, is_warmup, status, sum(attempts), sum(runs), sum(timed), total(seconds),
           max(newest), sum(measured), total(sum_of_values), max(last_measured)
    FROM (
        SELECT runs.boot, runs.benchmark, runs.is_warmup, status, count(*) AS attempts,
               count(CASE WHEN status = 'ok' AND (attempts.number = 1 OR NOT EXISTS (
                   SELECT 1 FROM attempts AS earlier
                   WHERE earlier.run = attempts.run AND earlier.status = 'ok' AND earlier.rowid < attempts.rowid
               )) THEN 1 END) AS runs,
               count(elapsed_s) AS timed,
               total(CASE WHEN elapsed_s IS NOT NULL
                          THEN (julianday(ended_at) - julianday(started_at)) * 86400.0 END) AS seconds,
               max(attempts.rowid) AS newest, count(value) AS measured, total(value) AS sum_of_values,
               max(CASE WHEN value IS NOT NULL THEN attempts.rowid ELSE 0 END) AS last_measured
        FROM attempts CROSS JOIN runs ON runs.id = attempts.run
        LEFT JOIN headlines ON headlines.benchmark = runs.benchmark
        LEFT JOIN measurements ON measurements.attempt = attempts.id AND measurements.metric = headlines.name
        WHERE attempts.rowid > ? AND attempts.rowid <= ?
        GROUP BY 1, 2, 3, 4
    ) JOIN boots ON boots.id = boot
    GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - a constant

_GIVEN_UP = """
    SELECT boots.node, boots.kernel, runs.benchmark, runs.is_warmup, count(*),
           sum(NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id AND attempts.status = 'ok')),
           sum(NOT EXISTS (SELECT 1 FROM wishes
                           WHERE wishes.run = runs.id AND kind = 'requeue' AND obeyed_at IS NULL))
    FROM runs JOIN boots ON boots.id = runs.boot
    WHERE runs.given_up_at IS NOT NULL
    GROUP BY 1, 2, 3, 4
"""
