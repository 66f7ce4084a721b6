"""``make bench``: every measurement, side by side with what it is compared with, in one run.

Timings are no tests: machines are noisy. Each module here has a ``main`` that prints its own lines.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.bench


def main(wanted: list[str]) -> None:
    """Run the modules that are named, or all that have a ``main``."""
    names = [module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name != "__main__"]
    for name in names:
        if wanted and name not in wanted:
            continue
        run = getattr(importlib.import_module(f"tests.bench.{name}"), "main", None)
        if run is not None:
            print(f"== {name}", flush=True)
            run()


main(sys.argv[1:])
