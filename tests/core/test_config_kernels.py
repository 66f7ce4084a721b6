"""``[[kernel]]`` tables that boot nodes: settings, and every fault at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hpcvirt.core.config import parse_campaign
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Settle, Where
from hpcvirt.core.plan import make_plan
from tests.core.factories import TOML

NODES = TOML.replace("[lab]\nnodes = 2", '[[node]]\nname = "node1"\n[[node]]\nname = "node2"')
GRUB = 'boot = "grub"\nentry = "Debian, with Linux 6.1"\nexpect = { release = "6.1" }\n'


def with_kernel(lines: str, text: str = NODES) -> str:
    return text.replace('name = "other"\n', f'name = "other"\n{lines}')


def faults(lines: str, text: str = NODES) -> list[str]:
    with pytest.raises(CampaignInvalid) as error:
        parse_campaign(with_kernel(lines, text))
    return [fault.removeprefix("campaign: ") for fault in error.value.faults]


def test_all_settings() -> None:
    more = 'arguments = "quiet nosmt"\nboot_limit = 60\nboot_retries = 0\n'
    more += "settle = { seconds = 5, load = 0.5, limit = 9 }\n"
    kernel = parse_campaign(with_kernel(GRUB + more)).kernels[1]
    assert (kernel.boot, kernel.entry, kernel.arguments) == ("grub", "Debian, with Linux 6.1", "quiet nosmt")
    assert (kernel.boot_limit_s, kernel.boot_retries, kernel.settle) == (60, 0, Settle(5, 0.5, 9))
    own = 'boot = "command"\ncommand = ["/sbin/ipmi", "x"]\nwhere = "node"\n'
    own += 'options = { image = "a" }\nexpect = { release = "6" }\n'
    kernel = parse_campaign(with_kernel(own)).kernels[1]
    assert (kernel.command, kernel.where, kernel.options) == (("/sbin/ipmi", "x"), Where.NODE, {"image": "a"})


def test_every_fault_is_told_at_once() -> None:
    found = faults('boot = "grub"\ncommand = ["x"]\noptions = { a = 1 }\n')
    assert [fault for fault in found if fault.startswith("kernel[2]")] == [
        "kernel[2].entry: boot method grub needs it",
        "kernel[2].command: boot method grub has no use for it",
        "kernel[2].options: boot method grub has no use for it",
        "kernel[2].expect: a node is booted into other, and nothing says how that is proved: give its release",
    ]
    assert faults('entry = "x"\n') == ["kernel[2].entry: boot method none has no use for it"]
    assert faults('boot = "command"\nexpect = { release = "6" }\n') == [
        "kernel[2].command: boot method command needs it"
    ]
    relative = faults('boot = "command"\ncommand = ["./boot"]\nexpect = { release = "6" }\n')
    assert relative == ["kernel[2].command: './boot': write the whole path, or a name that is on PATH"]


def test_kernels_that_nothing_tells_apart_are_refused() -> None:
    def pair(first: str, second: str) -> list[str]:
        text = NODES.replace('name = "native"\n', f'name = "native"\n{first}')
        try:
            parse_campaign(with_kernel(second, text))
        except CampaignInvalid as error:
            return [fault.removeprefix("campaign: ") for fault in error.faults]
        return []

    script = 'boot = "command"\ncommand = ["boot", "%s"]\nexpect = { release = "6.1"%s }\n'
    (told,) = pair(script % ("dom0", ""), script % ("plain", ""))
    assert told.startswith("kernel[2].expect: other is booted in another way than native, and proved by the same")
    assert pair(script % ("dom0", ""), script % ("plain", ', version = "*"')) == [told]
    assert pair(script % ("dom0", ', role = "xen-dom0"'), script % ("plain", ', role = "none"')) == []
    # Nothing boots the node back, and nobody would see that.
    assert pair('expect = { release = "6.1" }\n', GRUB)[0].startswith("kernel[2].expect")
    # A control, a wrap, and what GRUB may tell apart on a node by the order's own word.
    assert pair(GRUB, GRUB) == []
    assert pair(GRUB, f'wrap = ["chrt", "1"]\n{GRUB}') == []
    assert pair(GRUB, f'arguments = "nosmt"\n{GRUB}') == []


def test_what_everything_matches_proves_nothing() -> None:
    found = faults(GRUB.replace('6.1" }', '*", version = "*" }'))
    assert found == [
        "kernel[2].expect: a node is booted into other, and nothing says how that is proved: give its release"
    ]


def test_a_machine_that_nodes_share_is_not_rebooted() -> None:
    shared = NODES.replace('name = "node2"', 'name = "node2"\nown_machine = false')
    assert faults(GRUB, shared) == [
        "node[2].own_machine: other reboots nodes, and this one shares its machine with others; boot that "
        "machine once, as one node"
    ]
    assert len(parse_campaign(shared).nodes) == 2


def test_what_a_shell_or_grub_could_obey_is_no_argument() -> None:
    assert "kernel[2].arguments" in faults(GRUB + 'arguments = "quiet; reboot"\n')[0]
    assert "kernel[2].entry" in faults('boot = "grub"\nentry = "a\\nb"\nexpect = { release = "6" }\n')[0]


def test_an_unknown_method_and_the_lab() -> None:
    (found,) = faults('boot = "kexec"\n')
    assert found.startswith("kernel[2].boot: no boot method is called 'kexec'; installed: command, grub, none")
    assert faults(GRUB, TOML) == ["kernel[2].boot: the nodes of the embedded lab cannot be rebooted, so not by grub"]


def test_how_long_a_boot_may_take_is_not_the_plan() -> None:
    one, other = (parse_campaign(with_kernel(f"{GRUB}boot_limit = {limit}\n")) for limit in (60, 600))
    assert make_plan(one).digest == make_plan(other).digest
    changed = parse_campaign(with_kernel(f'{GRUB}arguments = "quiet"\n'))
    assert make_plan(changed).digest != make_plan(one).digest


THIRD = """
from hpcvirt.core.boot_method import BootMethod
class Pxe(BootMethod):
    takes = ("options",)
    requires = ("options",)
    async def order(self, shell, visit): ...
"""


def test_third_parties_methods_are_listed_unimported_and_a_broken_one_is_named(tmp_path: Path) -> None:
    metadata = tmp_path / "pxe-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pxe\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.kernels]\npxe = pxe:Pxe\nbroken = pxe_broken:Method\n")
    (tmp_path / "pxe.py").write_text(THIRD)
    (tmp_path / "pxe_broken.py").write_text("raise RuntimeError('no licence')\n")
    expect = 'expect = { release = "6" }\n'
    (tmp_path / "good.toml").write_text(with_kernel(f'boot = "pxe"\noptions = {{ image = "rt" }}\n{expect}'))
    (tmp_path / "bad.toml").write_text(with_kernel(f'boot = "broken"\n{expect}') + '[[kernel]]\nname="x"\nboot="pxe"\n')
    code = """
import sys
from pathlib import Path
from hpcvirt.core import boot_method
from hpcvirt.core.config import read_campaign
from hpcvirt.core.errors import CampaignInvalid
print(*boot_method.installed(), "pxe" in sys.modules, "hpcvirt.core.kernels.grub" in sys.modules)
print(read_campaign(Path("good.toml")).campaign.kernels[1].boot)
try:
    read_campaign(Path("bad.toml"))
except CampaignInvalid as error:
    print(*error.faults, sep="\\n")
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True
    )
    listed, good, *told = done.stdout.splitlines()
    assert listed == "broken command grub none pxe False False"
    assert good == "pxe"
    assert (
        "kernel[2].boot: boot method 'broken' (pxe_broken:Method) cannot be used: RuntimeError: no licence" in told[0]
    )
    assert "kernel[3].options: boot method pxe needs it" in told[1]
