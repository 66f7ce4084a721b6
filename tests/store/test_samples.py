"""Samples in the database: what went in comes out, in little room."""

from __future__ import annotations

import math
import random
from dataclasses import fields, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.store.queries import reading
from hpcvirt.core.store.samples import Sample, at_ms, between, latest, moment, pack, unpack
from hpcvirt.core.store.telemetry import read_samples
from tests.core.factories import campaign, do_run, ended, new_database

HALF_A_STEP = (0.05 * (1 + 1e-9), 0.5)
"""Of all others, and of rates. 0.8 - 0.75 is a little more than 0.05."""
START = 1_750_000_000_000
WHOLE = {"cpus", "memory_mib", "memory_used_mib", "swap_used_mib", "clock_mhz", "logins"}
RATES = {"received_kb_s", "sent_kb_s", "read_kb_s", "written_kb_s"}


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    told = {
        field.name: draw(
            st.none() | (st.integers(0, 1 << 40) if field.name in WHOLE else st.floats(0, 1e9, allow_nan=False))
        )
        for field in fields(Sample)
        if field.name != "at_ms"
    }
    return Sample(draw(st.integers(0, 1 << 42)), **told)  # type: ignore[arg-type]


@given(st.lists(samples(), min_size=1, max_size=5))
def test_what_is_packed_comes_out_rounded(told: list[Sample]) -> None:
    for was, found in zip(told, unpack(pack(told)), strict=True):
        assert found.at_ms == was.at_ms
        for field in fields(Sample):
            one, other = getattr(was, field.name), getattr(found, field.name)
            assert (one is None) == (other is None), field.name
            if one is not None and field.name != "at_ms":
                assert math.isclose(one, other, rel_tol=1e-12, abs_tol=HALF_A_STEP[field.name in RATES])


@given(st.integers(0, 4_000_000_000_000))
def test_times_come_out_as_they_went_in(at: int) -> None:
    assert at_ms(moment(at)) == at


def busy(count: int, start: int = START, seed: int = 1) -> list[Sample]:
    """A node in the middle of benchmarks, sampled every two seconds, with the noise of a real one."""
    drawn = random.Random(seed)
    found, used = [], 2000
    for place in range(count):
        user = min(1.0, max(0.0, drawn.gauss(0.7, 0.2)))
        used += drawn.randrange(-40, 41)
        found.append(
            Sample(
                start + 2000 * place + drawn.randrange(8),
                2.0 + drawn.choice((0, 0, 0.01)), 2, user, drawn.uniform(0, 1 - user), drawn.choice((0, 0, 0.005)), 0.0,
                drawn.gauss(2, 0.4), 24105, used, 0, drawn.expovariate(0.1), drawn.expovariate(0.1),
                drawn.choice((0, drawn.expovariate(0.01))), drawn.expovariate(0.002), drawn.uniform(0, 0.1),
                50 + drawn.random() if place % 15 == 0 else None, 2600 if place % 15 == 0 else None,
                0 if place % 15 == 0 else None, drawn.choice((0, 0, 0, 0.01)), drawn.choice((0, 0, 0, 0.01)),
            )
        )  # fmt: skip
    return found


def test_a_day_of_a_node_takes_about_a_megabyte(tmp_path: Path) -> None:
    """Four nodes side by side, their rows growing as the monitor files them."""
    path = tmp_path / "small.db"
    database, _ = new_database(path, campaign(nodes=[f"node{n}" for n in range(4)]))
    before = path.stat().st_size
    told = {f"node{n}": busy(1200, seed=n) for n in range(4)}
    for many in range(10, 1201, 10):
        row = (many - 1) // 60 * 60
        database.file_samples([(node, every[row:many]) for node, every in told.items()])
    database.close()
    of_a_day = (path.stat().st_size - before) / 4 / 1200 * 43_200
    assert 0.3e6 < of_a_day < 1.6e6


def test_a_row_that_grows_takes_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    told = busy(5)
    for many in (1, 3, 5):
        database.file_samples([("node1", told[:many]), ("node2", told[:1])])
    database.close()
    found = dict(read_samples(path))
    assert list(found) == ["node1", "node2"]
    assert [sample.at_ms for sample in found["node1"]] == [sample.at_ms for sample in told]


def test_the_last_and_those_of_a_time(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    told = [replace(sample, at_ms=START + 2000 * place) for place, sample in enumerate(busy(100))]
    database.file_samples([("node1", told[:60]), ("node1", told[60:]), ("node2", told[:3])])
    database.close()
    with reading(path) as connection:
        assert [one.at_ms for one in latest(connection, "node1", 50)] == [one.at_ms for one in told[-50:]]
        assert len(latest(connection, "node2", 50)) == 3
        assert latest(connection, "nobody", 50) == ()
        found = between(connection, "node1", moment(told[58].at_ms), moment(told[61].at_ms))
        assert [one.at_ms for one in found] == [one.at_ms for one in told[58:62]]


def test_an_attempt_finds_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, plan = new_database(path)
    node = plan.runs[0].boot.node
    do_run(database, plan.runs[0].id, "a", ended())
    do_run(database, plan.runs[1].id, "b", None)
    database.file_samples(
        [(node, [Sample(at_ms("2000-01-01T00:00:00.000Z")), Sample(at_ms("2100-01-01T00:00:00.000Z"))])]
    )
    database.file_samples([(node, [Sample(START)])])
    database.close()
    with reading(path) as connection:
        rows = connection.execute("SELECT attempt, samples_started_at FROM attempt_samples ORDER BY attempt").fetchall()
    assert [tuple(row) for row in rows] == [("a", "2000-01-01T00:00:00.000Z"), ("b", "2000-01-01T00:00:00.000Z")]
