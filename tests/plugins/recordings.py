"""The recorded outputs, and what a parser must make of them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hpcvirt.core.benchmark import Output, Report, load

FOLDER = Path(__file__).parent / "outputs"
PLUGINS = {
    "bonnie_classic": "bonnie",
    "bonniepp": "bonnie",
    "hpcc": "hpcc",
    "mitgcm": "mitgcm",
    "npb": "npb",
    "stream": "stream",
    "time": "command",
}
"""By folder."""

RESULTS = "hpccoutf.txt"


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded execution."""

    folder: str
    name: str

    @property
    def plugin(self) -> str:
        return PLUGINS[self.folder]

    @property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._read("expected.json"))
        return found

    @property
    def is_good(self) -> bool:
        """One report, and it counts."""
        return self.expected["status"] == "ok" and "runs" not in self.expected

    def output(self) -> Output:
        results = self._read(RESULTS)
        files = {RESULTS: results} if results else {}
        return Output(self._read("out"), self._read("err"), int(self._read("rc") or 0), files=files)

    def _read(self, ending: str) -> bytes:
        path = FOLDER / self.folder / f"{self.name}.{ending}"
        packed = path.with_name(f"{path.name}.gz")
        return path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes()) if packed.exists() else b""


@cache
def cases() -> tuple[Case, ...]:
    """All of them."""
    found = sorted(FOLDER.glob("*/*.expected.json"))
    return tuple(Case(path.parent.name, path.name.removesuffix(".expected.json")) for path in found)


def with_report(output: Output, text: bytes) -> Output:
    """The output with another text where its report is: hpcc has it in a file, ``time`` on stderr."""
    if output.files:
        return Output(output.stdout, output.stderr, output.exit_status, files={RESULTS: text})
    if not output.stdout.strip():
        return Output(output.stdout, text, output.exit_status)
    return Output(text, output.stderr, output.exit_status)


LONGEST_BYTES = 24_000
HEAD_BYTES = 4000


def report_text(output: Output) -> bytes:
    """The text that ``with_report`` replaces; of a long one its beginning and its end."""
    text = next(iter(output.files.values()), output.stdout if output.stdout.strip() else output.stderr)
    if len(text) <= LONGEST_BYTES:
        return text
    head = text[: text.index(b"\n", HEAD_BYTES) + 1]
    return head + text[text.index(b"\n", HEAD_BYTES - LONGEST_BYTES) + 1 :]


def parse(case: Case, output: Output | None = None) -> Report:
    return load(case.plugin).parse(case.output() if output is None else output)


def printed(report: Report) -> dict[str, dict[str, object]]:
    """The readings as expected files have them."""
    return {name: {"value": one.value, "unit": one.unit} for name, one in report.readings.items()}
