"""A benchmark that writes a gigabyte of what no terminal should see."""

import re
import zlib
from pathlib import Path

import pytest

from tests.clusters.faults.scene import Scene, until

pytestmark = pytest.mark.cluster

LARGEST_MIB = 350
KEPT = "SELECT stdout, stderr FROM attempts"
BEGINNING = {
    "zeros": b"\0" * 20,
    "noise": b"[/] \x1b]52;c;aGk=\x07 \xff =cmd()",
    "errors": b"\x1b]52;c;aGk=\x07 \xff \0 ",
}


@pytest.mark.parametrize("mode", ["zeros", "noise", "errors"])
def test_a_gigabyte_of_output_does_not_fill_the_runner(scene: Scene, mode: str) -> None:
    scene.write(runs=1, blocks=1, seconds=0.1, mode=mode, nodes=1, timeout=60)
    runner = scene.start()
    most = 0

    def watch() -> bool:
        nonlocal most
        try:
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{runner.pid}/status").read_text())
        except OSError:
            found = None
        most = max(most, int(found[1]) // 1024 if found else 0)
        return runner.poll() is not None

    until(watch, 100, lambda: scene.log)
    assert runner.returncode == 0, scene.log
    scene.judge()
    assert scene.rows("SELECT DISTINCT truncated FROM attempts") == [(1,)]
    assert most < LARGEST_MIB, f"{most} MiB"
    print(f"largest size of the runner: {most} MiB")
    raw, other = map(zlib.decompress, scene.rows(KEPT)[0])
    if mode == "errors":
        raw, other = other, raw
        assert other == b"value 1.5\n"
    else:
        assert raw.endswith(b"value 1.5\n")
    assert len(raw) == 8 << 20
    assert raw.startswith(BEGINNING[mode])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", (scene.work / "program.log").read_text())
