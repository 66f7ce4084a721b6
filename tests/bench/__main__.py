"""``make bench``: every measurement, side by side with what it is compared with, in one run.

Timings are no tests: machines are noisy. Each module here has a ``main`` that prints its own lines.
"""

from __future__ import annotations

import importlib
import sys

MODULES = ("startup", "plans", "store", "export", "screen", "stats", "remote", "monitor")


def main(wanted: list[str]) -> None:
    """Run the modules that are named, or all."""
    for name in wanted or MODULES:
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()


main(sys.argv[1:])
