"""grub.sh and others.sh against GRUB's tools played by small scripts.

Under dash and bash. Not under busybox, whose shell takes its own programs before those on PATH: its `reboot` would be
this machine's.
"""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

SHELLS = [pytest.param(words, id=words[0]) for words in (("dash",), ("bash", "--posix"))]

TOOLS = {
    "id": "#!/bin/sh\necho 1000\n",
    "sudo": """#!/bin/sh
[ "$1" = -n ] && shift
echo "sudo $*" >>"$LOG"
[ ! -e "$LOG.refuse" ] || {
    echo "sudo: a password is required" >&2
    exit 1
}
case $1 in
    -l) exec echo "$(command -v "$2")" ;;
    -ll) exec cat "$LOG.rules" ;;
esac
exec "$@"
""",
    "grub-reboot": '#!/bin/sh\ngrub-editenv - set "next_entry=$1"\n',
    "grub-editenv": """#!/bin/sh
case $2 in
    list) exec cat "$LOG.env" ;;
    unset) word="$3=" ;;
    set) word=$3 ;;
esac
grep -v "^${word%%=*}=" "$LOG.env" >"$LOG.new"
echo "$word" >>"$LOG.new"
cat "$LOG.new" >"$LOG.env"
""",
    "reboot": '#!/bin/sh\n[ ! -e "$LOG.stuck" ] || { echo "inhibited" >&2; exit 1; }\necho rebooting >>"$LOG"\n',
    "sync": "#!/bin/sh\n",
}

RULES = """Matching Defaults entries for bench on node1:
    env_reset, secure_path=/usr/sbin\\:/usr/bin, use_pty

User bench may run the following commands on node1:

Sudoers entry:
    RunAsUsers: ALL
    Commands:
\tALL

Sudoers entry: /etc/sudoers.d/hpcvirt
    RunAsUsers: root
    Options: {options}
    Commands:
\t{at}/grub-*
\t{at}/reboot ""

Sudoers entry:
    RunAsUsers: root
    Commands:
\t/usr/bin/ls
"""
"""As sudo 1.9 writes it."""


class Box:
    """GRUB's tools, and what was done with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        self.env = Path(f"{self.log}.env")
        self.env.write_text("saved_entry=stock\n")
        self.rules = Path(f"{self.log}.rules")
        self.rules.write_text(RULES.format(at=folder, options="!authenticate"))
        for name, text in TOOLS.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def run(self, shell: tuple[str, ...], action: str, **settings: str) -> subprocess.CompletedProcess[str]:
        script = files("hpcvirt.core.kernels").joinpath("grub.sh").read_text()
        env = {"PATH": f"{self.folder}:{os.environ['PATH']}", "LOG": str(self.log), "hv_action": action, **settings}
        return subprocess.run([*shell, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize("shell", SHELLS)
def test_an_order_is_kept_and_then_the_node_reboots(box: Box, shell: tuple[str, ...]) -> None:
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="sub>rt", hv_arguments="hpcvirt.boot=1 quiet")
    assert (done.returncode, done.stdout) == (0, "accepted\n"), done.stderr
    assert set(box.env.read_text().split("\n")) >= {"next_entry=sub>rt", "hpcvirt_arguments=hpcvirt.boot=1 quiet"}
    assert box.log.read_text().splitlines()[-2:] == ["sudo reboot", "rebooting"]


@pytest.mark.parametrize("shell", SHELLS)
def test_another_life_is_not_ordered_to_end(box: Box, shell: tuple[str, ...]) -> None:
    done = box.run(shell, "order", hv_old="another", hv_place="rt", hv_arguments="")
    assert done.stdout == f"other {boot_id()}\n"
    assert box.log.read_text() == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_refusals_are_told_and_leave_no_order(box: Box, shell: tuple[str, ...]) -> None:
    Path(f"{box.log}.stuck").touch()
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="rt", hv_arguments="")
    assert (done.returncode, done.stdout) == (1, "refused reboot: inhibited\n")
    assert "next_entry=rt" not in box.env.read_text()
    Path(f"{box.log}.refuse").touch()
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="rt", hv_arguments="")
    assert done.stdout == "refused grub-reboot: sudo: a password is required\n"
    told = box.run(shell, "check").stdout.splitlines()
    assert "maynot grub-reboot: sudo: a password is required" in told


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("broken", ["grub-editenv", "grub-reboot"])
def test_an_order_that_fails_half_way_leaves_nothing_for_the_next_boot(
    box: Box, shell: tuple[str, ...], broken: str
) -> None:
    tool = box.folder / broken
    tool.write_text(tool.read_text().replace("#!/bin/sh\n", '#!/bin/sh\n[ "$2" = list ] || exit 1\n'))
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="rt", hv_arguments="quiet")
    assert (done.returncode, done.stdout) == (1, f"refused {broken}: \n")
    assert "next_entry=rt" not in box.env.read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_an_entry_that_was_kept_cut_off_is_not_kept(box: Box, shell: tuple[str, ...]) -> None:
    (box.folder / "grub-reboot").write_text('#!/bin/sh\ngrub-editenv - set "next_entry=$1-other"\n')
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="rt", hv_arguments="")
    assert done.stdout == "refused next_entry was not kept\n"
    assert "next_entry=rt" not in box.env.read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_an_order_of_grub_legacy_that_stays_is_told_as_what_it_is(box: Box, shell: tuple[str, ...]) -> None:
    for name in ("grub-reboot", "grub-editenv"):
        (box.folder / name).unlink()
    (box.folder / "grub").write_text('#!/bin/sh\ncat >>"$LOG"\n')
    (box.folder / "grub").chmod(0o755)
    Path(f"{box.log}.stuck").touch()
    done = box.run(shell, "order", hv_old=boot_id(), hv_place="1", hv_arguments="")
    assert "savedefault --default=1 --once" in box.log.read_text()
    assert done.stdout.startswith("refused reboot: inhibited; GRUB Legacy cannot take its order back: the next boot")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("was", "now", "asked"),
    [
        ("", "", set()),
        ("!authenticate", "setenv", {"grub-reboot", "grub-editenv", "reboot"}),
        ("grub-*", "grub-reboot", {"grub-editenv"}),
        ("/usr/bin/ls", "{at}/reboot", {"reboot"}),
        ("/usr/bin/ls", "{at}/", {"grub-reboot", "grub-editenv", "reboot"}),
        ("use_pty", "use_pty, !authenticate", set()),
    ],
)
def test_a_rule_that_asks_for_a_password_is_told(
    box: Box, shell: tuple[str, ...], was: str, now: str, asked: set[str]
) -> None:
    """`sudo -n -l reboot` has nothing against it as long as any rule at all is NOPASSWD."""
    box.rules.write_text(
        box.rules.read_text().replace(was, now.format(at=box.folder))
        if was
        else RULES.format(at=box.folder, options="setenv, !authenticate")
    )
    told = [line.split()[1].rstrip(":") for line in box.run(shell, "check").stdout.splitlines() if "maynot" in line]
    assert set(told) == asked


@pytest.mark.parametrize("shell", SHELLS)
def test_check_reads_what_grub_remembers_or_says_why_not(box: Box, shell: tuple[str, ...]) -> None:
    told = box.run(shell, "check").stdout.splitlines()
    assert "env saved_entry=stock" in told
    assert [line for line in told if line.startswith(("nogrubenv", "maynot"))] == []
    box.env.unlink()
    told = box.run(shell, "check").stdout.splitlines()
    assert [line.partition(" ")[0] for line in told if "env" in line] == ["may", "nogrubenv"]
    assert "No such file" in next(line for line in told if line.startswith("nogrubenv"))


@pytest.mark.parametrize("shell", SHELLS)
def test_only_what_differs_is_put_back(box: Box, shell: tuple[str, ...]) -> None:
    settings = {"hv_saved_entry": "stock", "hv_next_entry": "", "hv_hpcvirt_arguments": ""}
    assert box.run(shell, "restore", **settings).stdout == "restored\n"
    assert [line for line in box.log.read_text().splitlines() if " set " in line or " unset " in line] == []
    box.env.write_text("saved_entry=other\nnext_entry=rt\nhpcvirt_arguments=quiet\n")
    assert box.run(shell, "restore", **settings).returncode == 0
    assert sorted(filter(None, box.env.read_text().split("\n"))) == [
        "hpcvirt_arguments=",
        "next_entry=",
        "saved_entry=stock",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_others_are_told_and_we_are_not(shell: tuple[str, ...], tmp_path: Path) -> None:
    tools = {"id": '[ "$1" = -u ] && echo 4242 || echo me\n', "who": "echo 'me pts/0 x'; echo 'alice pts/1 x'\n"}
    for name, text in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    script = files("hpcvirt.core.remote").joinpath("others.sh").read_text()
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LC_ALL": "C"}
    done = subprocess.run([*shell, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True)
    assert "other alice is logged in on pts/1" in done.stdout.splitlines()
    assert "me" not in [line.split()[1] for line in done.stdout.splitlines()]
    assert "4242" not in done.stdout
