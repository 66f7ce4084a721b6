"""The loop that reads on a node, in every shell: what it says, what it leaves out, and that it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpcvirt.core.monitor.counters import Counters, Greeting, Memory, parse_counters, parse_greeting
from hpcvirt.core.monitor.watch import monitor_script

RECORDED = Path(__file__).parent / "proc"
SHELLS = {"dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh")}

RHEL4 = {
    "proc/stat": "cpu  4705 150 1120 1644 2007 11 705\ncpu0 4705 150 1120 1644 2007 11 705\n",
    "proc/meminfo": "MemTotal:      4040360 kB\nMemFree:        120516 kB\nBuffers:        100000 kB\n"
    "Cached:        2000000 kB\nSwapCached:          0 kB\nSwapTotal:     2096440 kB\nSwapFree:      2096000 kB\n",
    "proc/loadavg": "0.00 0.01 0.05 2/88 4711\n",
    "proc/uptime": "350735.47 234388.90\n",
    "proc/net/dev": "Inter-|   Receive  |  Transmit\n face |bytes    packets errs\n"
    "    lo:  1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0:4294967290 5 0 0 0 0 0 0 777 9 0 0 0 0 0 0\n",
}
"""As a 2.6.9 kernel says it: no steal, no MemAvailable, no blank behind a long interface's colon."""


@dataclass
class Loop:
    process: subprocess.Popen[bytes]
    nonce: str
    greeting: Greeting | None = None
    """Nothing is asked before it: a shell that reads ahead would take the word for a command."""

    def until(self, end: bytes) -> bytes:
        assert self.process.stdout is not None
        said = b""
        while not said.endswith(end):
            byte = self.process.stdout.read(1)
            assert byte, said
            said += byte
        return said

    def ask(self, word: str = "") -> Counters:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()
        return parse_counters(self.until(f"@{self.nonce}\n".encode()))


Start = Callable[[Path], Loop]


@pytest.fixture(params=SHELLS)
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    if shutil.which(SHELLS[request.param][0]) is None:
        pytest.skip(f"no {request.param} on this machine")
    begun: list[subprocess.Popen[bytes]] = []

    def started(root: Path) -> Loop:
        script = monitor_script(str(root / "proc"), str(root / "sys"))
        process = subprocess.Popen(
            SHELLS[request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        begun.append(process)
        assert process.stdin is not None
        process.stdin.write(script.text)
        process.stdin.flush()
        loop = Loop(process, script.nonce)
        loop.until(f"\n@{loop.nonce} ".encode())
        loop.greeting = parse_greeting(loop.until(b"\n"))
        return loop

    yield started
    for process in begun:
        process.kill()
        process.communicate()


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def recorded(root: Path) -> Path:
    names = {"stat": "stat", "loadavg": "loadavg", "meminfo": "meminfo", "uptime": "uptime", "net_dev": "net/dev"}
    return put(root, {f"proc/{to}": (RECORDED / name).read_text() for name, to in names.items()})


def test_what_a_kernel_of_today_says(start: Start, tmp_path: Path) -> None:
    root = put(
        recorded(tmp_path),
        {
            "proc/sys/kernel/random/boot_id": "3f51251f-839a-4cd9-b96a-9a35346888f6\n",
            "sys/block/sda/device": "",
            "sys/block/sda/stat": "  180682 23623 13576634 218789 324998 166412 139414432 1401261 0 64700 1636758\n",
            "sys/block/dm-0/stat": "1 1 1 1 1 1 1 1 1 1 1\n",
            "sys/class/net/eth0/device": "",
            "sys/class/hwmon/hwmon0/name": "coretemp\n",
            "sys/class/hwmon/hwmon0/temp1_input": "45000\n",
            "sys/class/hwmon/hwmon1/name": "nvme\n",
            "sys/class/hwmon/hwmon1/temp1_input": "80000\n",
            "sys/class/hwmon/hwmon2/name": "coretemp\n",
            "sys/class/hwmon/hwmon2/temp1_input": "51500\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2599998\n",
        },
    )
    loop = start(root)
    assert loop.greeting is not None
    assert loop.greeting.boot_id == "3f51251f-839a-4cd9-b96a-9a35346888f6"
    often = loop.ask()
    assert often.uptime_s == 2927.33
    assert often.cpu == (329810, 0, 87462, 162624, 2007, 0, 705, 544)
    assert often.load == 6.01
    assert often.memory == Memory(24683656, 20730612, 22206260, 20084 + 1804448, 0)
    assert often.interfaces == {"eth0": (1235687199, 1328270)}
    assert often.disks == {"sda": (13576634, 139414432, 64700)}
    assert (often.temperature_c, often.clock_khz, often.logins) == (None, None, None)
    seldom = loop.ask("all")
    assert (seldom.temperature_c, seldom.clock_khz) == (51.5, 2599998)
    assert seldom.logins is not None or shutil.which("who") is None


def test_what_an_old_kernel_lacks_is_absent(start: Start, tmp_path: Path) -> None:
    loop = start(put(tmp_path, RHEL4))
    told = loop.ask("all")
    assert told.cpu == (4705, 150, 1120, 1644, 2007, 11, 705)
    assert told.memory == Memory(4040360, 120516, None, 2100000, 440)
    assert told.interfaces == {"eth0": (4294967290, 777)}
    assert (told.disks, told.temperature_c, told.clock_khz, told.loop_ticks) == ({}, None, None, None)


def test_where_there_is_nothing_nothing_is_said(start: Start, tmp_path: Path) -> None:
    loop = start(tmp_path)
    assert loop.ask() == Counters()


def test_of_the_real_machine(start: Start) -> None:
    loop = start(Path("/"))
    told = [loop.ask("all"), loop.ask()]
    assert told[0].memory is not None
    assert told[0].memory.total > 0
    assert told[0].loop_ticks is not None
    assert len(told[0].cpu) >= 4
    assert (told[1].uptime_s or 0) >= (told[0].uptime_s or 0) > 0


def test_it_ends_when_nobody_can_ask_any_more(start: Start) -> None:
    loop = start(Path("/"))
    loop.ask()
    out, err = loop.process.communicate(timeout=30)  # closes its stdin
    assert (loop.process.returncode, out, err) == (0, b"", b"")


def test_it_ends_when_nobody_listens_any_more(start: Start) -> None:
    loop = start(Path("/"))
    loop.ask()
    assert loop.process.stdout is not None
    assert loop.process.stdin is not None
    loop.process.stdout.close()
    loop.process.stdin.write(b"\n")
    loop.process.stdin.flush()
    # Its stdin stays open: it is the answer that cannot be given.
    assert loop.process.wait(30) != -9


def test_it_starts_no_process_for_a_sample(start: Start, tmp_path: Path) -> None:
    """Whatever PATH would find is not asked for."""
    loop = start(recorded(tmp_path))
    loop.ask()
    before = _children_ticks_and_forks(loop.process.pid)
    for _ in range(20):
        loop.ask()
    assert _children_ticks_and_forks(loop.process.pid) == before


def _children_ticks_and_forks(pid: int) -> list[str]:
    """Page faults and CPU time of the children that were waited for: a fork cannot go without the former."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return [fields[8], fields[10], fields[13], fields[14]]


def test_the_script_is_small_and_plain() -> None:
    """It travels with every connection."""
    script = monitor_script()
    assert len(script.text) < 4096
    assert os.fsdecode(script.text).isascii()
