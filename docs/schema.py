"""Writes docs/schema.md from the schema itself: ``python docs/schema.py > docs/schema.md``."""

from __future__ import annotations

from textwrap import dedent

from hpcvirt.core.store import schema

TEXT = """\
# The results database

One SQLite file holds one campaign: what was planned, every attempt with its raw output, every measurement,
every event. `PRAGMA user_version` is {user_version}, `PRAGMA application_id` is 0x{application_id:08X} (`HPVT`).
While a runner works on it the file is in WAL mode; when the runner ends it leaves WAL, so that one file can be
copied and read by anyone with `sqlite3`, Datasette, pandas or R.

Start with the view `results`:

```sh
sqlite3 -header -column RESULTS.db "SELECT kernel, node, metric, avg(value), unit FROM results GROUP BY 1, 2, 3"
```

stdout and stderr of attempts are compressed with zlib. Read one with Python:

```python
import sqlite3, zlib
row = sqlite3.connect("RESULTS.db").execute("SELECT stdout FROM attempts WHERE status = 'ok'").fetchone()
print(zlib.decompress(row[0]).decode())
```

Telemetry is in `samples`, read as the columns of JSON that zlib has packed; `hpcvirt-tui export RESULTS.db --what
telemetry` writes it as CSV, one line per sample, with the run it was taken in. `at_ms` holds the first sample's
Unix time in ms and then the differences. Other columns are whole numbers or null: shares of all CPUs' time (`user`,
`system`, `iowait`, `steal`), `span_s`, `monitor_s` and `sshd_s` in thousandths, `load` and `disk_busy` in hundredths,
`temperature_c` in tenths; a column that no sample of the row has is not there.

```python
import json, sqlite3, zlib
row = sqlite3.connect("RESULTS.db").execute("SELECT content FROM samples WHERE node = 'node1'").fetchone()
print(json.loads(zlib.decompress(row[0])))
```

What is derived is not stored: a run is done when one of its attempts is `ok`, given up when `given_up_at` is set;
the runner is alive if the process that the last row of `runners` names is. Only attempts that ended `ok` have
measurements.

## Tables

```sql
{tables}
```

## Views

{views}
"""


def text() -> str:
    """The page."""
    views = "\n\n".join(f"### {name}\n\n```sql\n{dedent(sql).strip()}\n```" for name, sql in schema.VIEWS.items())
    return TEXT.format(
        user_version=schema.USER_VERSION,
        application_id=schema.APPLICATION_ID,
        tables=schema.TABLES.strip(),
        views=views,
    )


if __name__ == "__main__":
    print(text(), end="")
