"""Tables and views of a campaign's database. ``docs/schema.md`` is written from this text by a test.

States are not stored where they can be derived: a run's from its attempts, the runner's from its process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container

APPLICATION_ID = 0x48505654
"""``HPVT``: tells our files from other SQLite files (PRAGMA application_id)."""

USER_VERSION = 4
"""PRAGMA user_version: raised with every change of tables or views."""

OLDEST_VERSION = 3
"""The oldest that is still read and written: what it lacks readers do without, and writers add."""

ADDED_COLUMNS = (
    ("metrics", "is_exact", "INTEGER NOT NULL DEFAULT 0"),
    ("claims", "reference", "TEXT REFERENCES kernels (name)"),
    ("runners", "machine", "TEXT NOT NULL DEFAULT ''"),
    ("runners", "pid_namespace", "TEXT NOT NULL DEFAULT ''"),
)
"""Table, column and definition of what version 3 lacks."""

TABLES = """
-- The one campaign of this file, frozen when it started.
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    uuid TEXT NOT NULL,              -- of this file: in whose name nodes are locked
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    notes TEXT NOT NULL,
    source TEXT NOT NULL,            -- where the campaign file was read
    file TEXT NOT NULL,              -- its text
    choice TEXT NOT NULL,            -- what of it the operator picked: JSON
    frozen TEXT NOT NULL,            -- the campaign as it was started, after the operator's choice: JSON
    plan_sha256 TEXT NOT NULL,       -- digest over the frozen campaign and the order of all boots
    design TEXT NOT NULL,            -- randomized-blocks or sequential
    runs INTEGER NOT NULL,           -- ok runs wanted per kernel, benchmark and node
    blocks INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    replication_unit TEXT NOT NULL,  -- node-block or block; block as soon as it is that of one benchmark
    baseline TEXT NOT NULL,
    alpha REAL NOT NULL,
    delta REAL NOT NULL,             -- half-width of the band of equivalence, a fraction of the baseline
    method TEXT,                     -- paper or blocked; NULL: blocked from two blocks on
    correction TEXT NOT NULL,        -- holm, bh or none
    program_version TEXT NOT NULL,
    created_at TEXT NOT NULL         -- all times: UTC, ISO 8601, of the login node
) STRICT;

CREATE TABLE nodes (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    host TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',  -- what the runner does with it, in a word
    detail TEXT NOT NULL DEFAULT '',
    since TEXT
) STRICT;

CREATE TABLE kernels (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    boot TEXT NOT NULL,              -- boot method
    wrap TEXT NOT NULL,              -- JSON list
    expect TEXT NOT NULL             -- JSON
) STRICT;

CREATE TABLE benchmarks (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,      -- plugin and parameters
    plugin TEXT NOT NULL,
    package TEXT NOT NULL,           -- name and version of the package that the plugin comes from
    parameters TEXT NOT NULL,        -- JSON
    scope TEXT NOT NULL,             -- node or cluster
    phase INTEGER NOT NULL,          -- benchmarks of one phase share boots
    replication_unit TEXT NOT NULL,  -- node-block, or block where nodes move together
    timeout_s REAL NOT NULL,
    estimate_s REAL NOT NULL         -- the plugin's, for a time without history
) STRICT;

-- Those that the campaign keeps.
CREATE TABLE metrics (
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    better TEXT NOT NULL CHECK (better IN ('higher', 'lower')),
    is_primary INTEGER NOT NULL,     -- in the family that is corrected for multiplicity
    is_exact INTEGER NOT NULL,       -- its values have no error, as counts and bytes; not in version 3
    position INTEGER NOT NULL,
    PRIMARY KEY (benchmark, name)
) STRICT;

-- Files that are the same on all nodes and under all kernels.
CREATE TABLE artifacts (
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    content BLOB NOT NULL,           -- zlib: a later life of the campaign uses the same files
    PRIMARY KEY (benchmark, name)
) STRICT;

-- One planned visit of one kernel to one node in one block: the unit of replication.
CREATE TABLE boots (
    id INTEGER PRIMARY KEY,          -- the plan's order
    phase INTEGER NOT NULL,
    block INTEGER NOT NULL,          -- within the phase
    position INTEGER NOT NULL,       -- which visit to this node within the block
    kernel TEXT NOT NULL REFERENCES kernels (name),
    node TEXT NOT NULL,              -- *: all nodes at the same time, for benchmarks of scope cluster
    started_at TEXT,
    rebooted INTEGER,                -- 0: the boot method boots nothing, so boot variance was not sampled
    boot_id TEXT,                    -- as read when the kernel was proved
    identity TEXT REFERENCES identities (id),
    environment TEXT REFERENCES environments (id),
    proved_at TEXT,
    ended_at TEXT
) STRICT;

-- One try to bring a node into the kernel of a boot, as far as it has come: ordered, accepted, gone, back, proved or
-- failed. A later life of the runner goes on from here.
CREATE TABLE bringups (
    id INTEGER PRIMARY KEY,
    boot INTEGER NOT NULL REFERENCES boots (id),
    number INTEGER NOT NULL,         -- within the boot
    old_boot_id TEXT NOT NULL,       -- of the life that was to end, read just before the order
    nonce TEXT NOT NULL,             -- a word for the new command line; empty: the method cannot set one
    ordered_at TEXT NOT NULL,        -- before anything was sent
    accepted_at TEXT,                -- the node, or the operator's script, said so; NULL: not known
    gone_at TEXT,                    -- it did not answer; NULL: nobody saw it
    back_at TEXT,                    -- it answered, with another boot_id
    new_boot_id TEXT,
    proved_at TEXT,                  -- its identity was the kernel's
    failed_at TEXT,
    failure TEXT                     -- what was expected, and what was found
) STRICT;
CREATE INDEX bringups_by_boot ON bringups (boot, number);

-- What a node booted by default before the first change to it.
CREATE TABLE boot_defaults (
    node TEXT NOT NULL REFERENCES nodes (name),
    method TEXT NOT NULL,
    remembered TEXT NOT NULL,        -- JSON, as the method wants it back
    recorded_at TEXT NOT NULL,
    restored_at TEXT,                -- NULL: not yet
    PRIMARY KEY (node, method)
) STRICT;

-- Who said that the campaign may reboot its nodes. It holds for that user's runners on that host, and for that plan.
CREATE TABLE consents (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    origin TEXT NOT NULL,            -- who: user@host
    plan_sha256 TEXT NOT NULL,       -- digest of the plan that it was said of: added blocks are asked about anew
    forced INTEGER NOT NULL          -- 1: also where other people work
) STRICT;

-- What was found of each artifact on the node, once per boot (and again after each new life of the runner).
CREATE TABLE artifact_checks (
    boot INTEGER NOT NULL REFERENCES boots (id),
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    method TEXT NOT NULL,            -- node: sha256sum there; fetched: read back and hashed here
    checked_at TEXT NOT NULL
) STRICT;

-- One planned execution of one benchmark in one boot. Its state follows from its attempts.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,          -- the plan's order
    boot INTEGER NOT NULL REFERENCES boots (id),
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    number INTEGER NOT NULL,         -- within kernel, benchmark and node; warm-up runs are counted apart
    is_warmup INTEGER NOT NULL,      -- kept and marked, and not analysed
    given_up_at TEXT,                -- no more attempts
    given_up_why TEXT,               -- the retries are used up, or an operator skipped it
    forgiven INTEGER NOT NULL DEFAULT 0  -- attempts before the last requeue: they use up no retry
) STRICT;
CREATE INDEX runs_by_boot ON runs (boot, benchmark);

CREATE TABLE attempts (
    id TEXT PRIMARY KEY,             -- UUID; HPCVIRT_RUN in the environment of its processes
    run INTEGER NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,         -- within the run
    status TEXT CHECK (status IN ('ok', 'failed', 'unverified', 'unparsable', 'timeout', 'lost', 'void', 'aborted')),
                                     -- NULL: under way, or its end is not known yet
    reason TEXT NOT NULL DEFAULT '', -- why it is not ok; of an ok one what is to be known about it, such as: cached
    started_at TEXT NOT NULL,
    ended_at TEXT,
    duration_s REAL,                 -- on the node's clock
    elapsed_s REAL,                  -- on the login node's clock, round trips included; NULL: collected later
    user_s REAL,                     -- CPU time of the benchmark's processes, as the node's shell counts it
    system_s REAL,
    clock_before_s REAL,             -- Unix time on the node; it may jump, or differ from this machine's
    clock_after_s REAL,
    uptime_before_s REAL,            -- of the node; it does not jump
    uptime_after_s REAL,
    exit_status INTEGER,             -- of the benchmark; 128 + n: ended by signal n
    boot_id TEXT,
    identity_before TEXT REFERENCES identities (id),
    identity_after TEXT REFERENCES identities (id),
    stdout BLOB,                     -- zlib
    stderr BLOB,                     -- zlib
    truncated INTEGER NOT NULL DEFAULT 0,
    launched TEXT                    -- what was executed, as a shell takes it: the launcher's call, or environment,
                                     -- wrap and command
) STRICT;
CREATE INDEX attempts_by_run ON attempts (run, status);
CREATE INDEX attempts_under_way ON attempts (run) WHERE status IS NULL;

-- The nodes of an attempt that occupied all of them, and what each was before and after it.
CREATE TABLE attempt_nodes (
    attempt TEXT NOT NULL REFERENCES attempts (id),
    node TEXT NOT NULL REFERENCES nodes (name),
    identity_before TEXT NOT NULL REFERENCES identities (id),
    identity_after TEXT REFERENCES identities (id),
    PRIMARY KEY (attempt, node)
) STRICT, WITHOUT ROWID;

-- Files that an attempt's benchmark wrote and that were brought back.
CREATE TABLE fetched (
    attempt TEXT NOT NULL REFERENCES attempts (id),
    name TEXT NOT NULL,
    content BLOB NOT NULL,           -- zlib
    PRIMARY KEY (attempt, name)
) STRICT;

-- What a node was when it was looked at, stored once by content.
CREATE TABLE identities (
    id TEXT PRIMARY KEY,             -- SHA-256 of content
    content TEXT NOT NULL            -- JSON: boot_id, release, version, hostname, cmdline, role, cpus ...
) STRICT;

-- What a node had installed and how it was set up when a boot began, stored once by content.
CREATE TABLE environments (
    id TEXT PRIMARY KEY,             -- SHA-256 of content
    content TEXT NOT NULL            -- JSON by key: package.glibc, sysctl.vm.swappiness ...; absent: it lacks it
) STRICT;

-- One metric's value from one ok attempt.
CREATE TABLE measurements (
    attempt TEXT NOT NULL REFERENCES attempts (id),
    metric TEXT NOT NULL,
    value REAL NOT NULL,             -- in the metric's unit
    printed_value REAL NOT NULL,
    printed_unit TEXT NOT NULL,
    PRIMARY KEY (attempt, metric)
) STRICT, WITHOUT ROWID;

-- Statements about effects, written down before the data: one for each metric, benchmark and pair of kernels.
CREATE TABLE claims (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,         -- of the [[claim]] table in the file, which may make several
    title TEXT NOT NULL,
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    metric TEXT NOT NULL,
    kernel TEXT NOT NULL REFERENCES kernels (name),
    versus TEXT NOT NULL REFERENCES kernels (name),
    expect TEXT NOT NULL CHECK (expect IN (
        'faster', 'slower', 'different', 'equivalent', 'no-significant-difference', 'no-significant-overhead',
        'smaller-difference'
    )),
    lowest_pct REAL,                 -- the difference of kernel from versus, in % of versus
    highest_pct REAL,
    source TEXT NOT NULL,
    published_mean REAL,             -- of kernel, as the source prints it, in the metric's unit
    published_sd REAL,
    published_n INTEGER,
    reference TEXT REFERENCES kernels (name),   -- of smaller-difference: the other kernel; not in version 3
    FOREIGN KEY (benchmark, metric) REFERENCES metrics (benchmark, name)
) STRICT;

-- What was changed after the campaign had started: blocks were added to the plan, or output was parsed anew (reparses).
CREATE TABLE amendments (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    origin TEXT NOT NULL,            -- who did it
    blocks INTEGER NOT NULL,         -- how many blocks were added; 0: a reparse
    runs INTEGER NOT NULL,           -- how many runs that makes
    plan_sha256 TEXT NOT NULL        -- digest of the plan from then on
) STRICT;

-- Intervals, p-values and verdicts that somebody had shown before the planned end.
CREATE TABLE looks (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    origin TEXT NOT NULL,            -- who looked: user@host
    view TEXT NOT NULL,              -- the command or the screen
    shown TEXT NOT NULL,             -- what was shown
    ok INTEGER NOT NULL,             -- ok runs at that time
    planned INTEGER NOT NULL         -- of so many
) STRICT;

-- Amendments that changed how the output of a benchmark is parsed, and not the plan. The stored output was parsed
-- again, and later runs are parsed with the same parameters.
CREATE TABLE reparses (
    amendment INTEGER PRIMARY KEY REFERENCES amendments (id),
    benchmark INTEGER NOT NULL REFERENCES benchmarks (id),
    package TEXT NOT NULL,           -- name and version of the package whose parser it was
    parameters TEXT NOT NULL,        -- JSON: of the parser; those in benchmarks stay as they were planned
    attempts INTEGER NOT NULL,       -- how many were parsed
    changed INTEGER NOT NULL         -- how many have another status, reason or measurement since
) STRICT;

-- What an attempt was before a reparse changed it, and whether its run was given up then.
CREATE TABLE superseded_attempts (
    amendment INTEGER NOT NULL REFERENCES reparses (amendment),
    attempt TEXT NOT NULL REFERENCES attempts (id),
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    given_up_at TEXT,
    given_up_why TEXT,
    PRIMARY KEY (amendment, attempt)
) STRICT, WITHOUT ROWID;

-- Its measurements before that.
CREATE TABLE superseded_measurements (
    amendment INTEGER NOT NULL REFERENCES reparses (amendment),
    attempt TEXT NOT NULL REFERENCES attempts (id),
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    printed_value REAL NOT NULL,
    printed_unit TEXT NOT NULL,
    PRIMARY KEY (amendment, attempt, metric)
) STRICT, WITHOUT ROWID;

-- Telemetry: what a node did, about two minutes of samples a row. The times are those of its first and last sample.
CREATE TABLE samples (
    node TEXT NOT NULL REFERENCES nodes (name),
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    content BLOB NOT NULL,           -- zlib of JSON: columns of whole numbers, see below
    PRIMARY KEY (node, started_at)
) STRICT;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    node TEXT,
    message TEXT NOT NULL
) STRICT;

-- The processes that worked on this file. One is alive if its host, boot_id, pid and pid_start say so.
CREATE TABLE runners (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start INTEGER NOT NULL,      -- clock ticks after boot, /proc/PID/stat
    started_at TEXT NOT NULL,
    ended_at TEXT,
    ending TEXT,                     -- done, stopped, aborted or failed
    machine TEXT NOT NULL DEFAULT '',  -- digest of its /etc/machine-id: two hosts may have one name
    pid_namespace TEXT NOT NULL DEFAULT ''  -- number of the namespace in which the pid is its own
) STRICT;

-- In whose name each runner holds nodes, which file it works on, and its signs of life. Made when a runner starts:
-- databases of an earlier version of the program have it from then on.
CREATE TABLE leases (
    runner INTEGER PRIMARY KEY REFERENCES runners (id),
    nonce TEXT NOT NULL,             -- names the runner in the locks of the nodes
    path TEXT NOT NULL,              -- where the database was
    file TEXT NOT NULL,              -- its device:inode: a copy of the database has another one
    heartbeat_at TEXT NOT NULL       -- every few seconds
) STRICT;

-- What operators wish of the runner: the control table.
CREATE TABLE wishes (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('pause', 'resume', 'stop', 'abort', 'skip', 'requeue')),
    run INTEGER REFERENCES runs (id),  -- of skip and requeue, which wait for the next runner if there is none
    origin TEXT NOT NULL,            -- who asked
    obeyed_at TEXT
) STRICT;
"""

IS_UNFINISHED = """EXISTS (
                   SELECT 1 FROM runs AS planned
                   WHERE NOT EXISTS (SELECT 1 FROM attempts AS tries WHERE run = planned.id AND tries.status = 'ok')
                     AND (given_up_at IS NULL OR EXISTS (
                         SELECT 1 FROM wishes WHERE run = planned.id AND kind = 'requeue' AND obeyed_at IS NULL)))"""
"""Whether some planned run is neither ok nor given up. A run to be requeued is not given up."""

_RESULTS = """
        SELECT campaign.name AS campaign, boots.block, boots.kernel, boots.node, attempts.boot_id,
               benchmarks.plugin AS benchmark, benchmarks.parameters, runs.number AS run, attempts.number AS attempt,
               attempts.status, attempts.started_at, attempts.duration_s,
               measurements.metric, measurements.value, metrics.unit, metrics.better,
               metrics.is_primary AS "primary", metrics.is_exact AS exact,
               {unfinished} AS interim
        FROM measurements
        JOIN attempts ON attempts.id = measurements.attempt
        JOIN runs ON runs.id = attempts.run
        JOIN boots ON boots.id = runs.boot
        JOIN benchmarks ON benchmarks.id = runs.benchmark
        JOIN metrics ON metrics.benchmark = benchmarks.id AND metrics.name = measurements.metric
        JOIN campaign
        WHERE attempts.status = 'ok' AND {which}
        ORDER BY attempts.started_at, runs.id, metrics.position
    """

VIEWS = {
    # Every measurement with all that it belongs to, in the order of time: what measurements.csv exports.
    # interim: the campaign was not finished when this was read.
    "results": _RESULTS.format(which="NOT runs.is_warmup", unfinished=IS_UNFINISHED),
    # The same of warm-up runs, which are kept and not analysed.
    "warmup_results": _RESULTS.format(which="runs.is_warmup", unfinished=IS_UNFINISHED),
    # Every attempt in words, the newest first.
    "attempt_list": """
        SELECT attempts.started_at, boots.node, boots.kernel, boots.block, benchmarks.label AS benchmark,
               runs.number AS run, runs.is_warmup, attempts.number AS attempt,
               coalesce(attempts.status, 'under way') AS status, attempts.reason, attempts.exit_status,
               attempts.duration_s, attempts.elapsed_s, attempts.boot_id, attempts.id
        FROM attempts
        JOIN runs ON runs.id = attempts.run
        JOIN boots ON boots.id = runs.boot
        JOIN benchmarks ON benchmarks.id = runs.benchmark
        ORDER BY attempts.started_at DESC, attempts.id
    """,
    # Boots in whose midst the node rebooted, by benchmark: its ok runs carry so many boot_ids.
    "rebooted_within": """
        SELECT boots.id AS boot, boots.node, boots.kernel, boots.block, benchmarks.label AS benchmark,
               count(DISTINCT attempts.boot_id) AS lives, count(*) AS runs
        FROM attempts
        JOIN runs ON runs.id = attempts.run
        JOIN boots ON boots.id = runs.boot
        JOIN benchmarks ON benchmarks.id = runs.benchmark
        WHERE attempts.status = 'ok' AND NOT runs.is_warmup
        GROUP BY boots.id, benchmarks.id
        HAVING count(DISTINCT attempts.boot_id) > 1
    """,
    # Where the telemetry of an attempt is: samples of its node that were taken while it ran are in these rows.
    "attempt_samples": """
        SELECT attempts.id AS attempt, attempts.started_at, attempts.ended_at, samples.node,
               samples.started_at AS samples_started_at, samples.ended_at AS samples_ended_at, samples.content
        FROM attempts
        JOIN runs ON runs.id = attempts.run
        JOIN boots ON boots.id = runs.boot
        JOIN samples ON boots.node IN (samples.node, '*')
            AND samples.started_at <= coalesce(attempts.ended_at, '9999') AND samples.ended_at >= attempts.started_at
    """,
    # How far each kernel, benchmark and node has come; warm-up runs are not counted.
    "progress": """
        SELECT boots.kernel, boots.node, benchmarks.id AS benchmark, count(*) AS planned,
               sum(EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id AND attempts.status = 'ok')) AS ok,
               sum(runs.given_up_at IS NOT NULL) AS given_up,
               sum((SELECT count(*) FROM attempts
                    WHERE attempts.run = runs.id AND attempts.status NOT IN ('ok', 'aborted'))) AS spoilt
        FROM runs
        JOIN boots ON boots.id = runs.boot
        JOIN benchmarks ON benchmarks.id = runs.benchmark
        WHERE NOT runs.is_warmup
        GROUP BY boots.kernel, boots.node, benchmarks.id
    """,
}


def is_older(connection: sqlite3.Connection) -> bool:
    """Whether the database was made by an earlier version of the program, so that it lacks tables or columns."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) < USER_VERSION


def statements() -> list[str]:
    """Every statement that makes the schema, one by one."""
    tables = [part.strip() for part in _without_comments(TABLES).split(";")]
    return [part for part in tables if part] + [f"CREATE VIEW {name} AS {sql}" for name, sql in VIEWS.items()]


def upgrade(connection: sqlite3.Connection) -> None:
    """Create what a database of an older version lacks, within the caller's transaction. Views are made anew."""
    for view in VIEWS:
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    add_columns(connection)
    there = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    for statement in statements():
        if statement.split()[2] not in there:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {USER_VERSION}")


def add_columns(connection: sqlite3.Connection, tables: Container[str] | None = None) -> None:
    """Those that are not there yet; ``tables``: of these only."""
    for table, column, definition in ADDED_COLUMNS:
        if (tables is None or table in tables) and column not in columns_of(connection, table):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """Names of a table's columns."""
    return {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}


def _without_comments(sql: str) -> str:
    """Comments may hold semicolons."""
    return "\n".join(line.split("--")[0].rstrip() for line in sql.splitlines())
