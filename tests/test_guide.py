"""The operator's guide: its commands are run as they stand, against four OpenSSH servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpcvirt.tui import keys
from hpcvirt.tui.settings import Notify, read_settings
from tests.support.sshd import SSHD, serving

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text()
LIMIT_S = 600


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_every_action_and_only_those_are_named() -> None:
    [told] = re.findall(r"<!-- actions -->(.*?)<!-- end -->", GUIDE, re.DOTALL)
    assert set(re.findall(r"`([a-z._]+)`", told)) == keys.IDS


def test_the_settings_shown_are_good_ones(tmp_path: Path) -> None:
    [text] = [block for block in blocks("toml") if "notify" in block]
    path = tmp_path / "settings.toml"
    path.write_text(text)
    told = read_settings(path)
    assert told.problems == ()
    assert told.notify is Notify.TERMINAL
    assert told.keys == {"stop": "ctrl+x", "pane.live": "2,f2"}


def test_a_rebooting_kernel_as_shown_is_read() -> None:
    from hpcvirt.core.config import parse_campaign

    campaign, rebooted = (block for block in blocks("toml") if "[[kernel]]" in block)
    told = parse_campaign(campaign + rebooted)
    assert told.kernels[-1].boot == "grub"


@pytest.mark.slow
@pytest.mark.openssh
@pytest.mark.skipif(SSHD is None, reason="sshd is not installed (apt-get install openssh-server)")
@pytest.mark.timeout(LIMIT_S + 60)
def test_the_commands_as_written(tmp_path: Path) -> None:
    with serving(tmp_path / "servers") as sshd:
        home, work = sshd.home, tmp_path / "work"
        work.mkdir()
        _reach(home, sshd.ports)
        # Four nodes that are one machine need four scratch folders, and say so.
        shown = '[[node]]\nname = "node[1-4]"\nscratch = "/var/tmp"\n'
        campaign = blocks("toml")[0]
        assert shown in campaign
        (work / "mine.toml").write_text(campaign.replace(shown, sshd.node_tables))
        script = work / "guide.sh"
        script.write_text("set -eux\n" + "\n".join(blocks("sh")))
        done = subprocess.run(
            ["bash", str(script)], cwd=work, env=_environment(home), capture_output=True, text=True, timeout=LIMIT_S
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "80 of 80 runs ok" in done.stdout
    assert (work / "first.toml").exists()
    assert len((work / "measurements.csv").read_text().splitlines()) == 1 + 80 * 4
    assert (work / "telemetry.csv").read_text().startswith("node,at,kernel")
    assert "| stream" in (work / "verdicts.md").read_text()
    assert done.stdout.count("stock-again") > 8


def _reach(home: Path, ports: tuple[int, ...]) -> None:
    """Host keys unknown, as they are at first; and an `ssh` that looks under $HOME, which OpenSSH does not."""
    (home / ".ssh" / "known_hosts").unlink()
    hosts = "".join(f"Host node{i}\n  HostName 127.0.0.1\n  Port {port}\n" for i, port in enumerate(ports, 1))
    files = f"  IdentityFile {home}/.ssh/id_ed25519\n  UserKnownHostsFile {home}/.ssh/known_hosts\n  BatchMode yes\n"
    (home / ".ssh" / "config").write_text(f"{hosts}Host *\n{files}")
    (home / "bin").mkdir()
    ssh = home / "bin" / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {home}/.ssh/config "$@"\n')
    program = home / "bin" / "hpcvirt-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m hpcvirt.tui "$@"\n')
    for path in (ssh, program):
        path.chmod(0o755)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "XDG_", "KRB5"))}
    return kept | {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
