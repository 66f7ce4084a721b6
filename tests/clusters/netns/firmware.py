"""What boots a node of namespaces: a boot menu on its disk, the tools of GRUB there, and the machine that obeys them.

The tools are stand-ins; the menu, grubenv and what they do to each other are as GRUB has them: an order for one boot
is used up by the boot, and what does not come up falls back to the default.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .fakes import Kernel
from .node import Node

POLL_S = 0.03
GRUBENV = "/boot/grub/grubenv"
CFG = "/boot/grub/grub.cfg"
ORDER = "/var/lib/reboot-ordered"
REFUSED = "/etc/sudo-refuses"

_EDITENV = f"""#!/bin/sh
# grub-editenv of a node of namespaces
[ "$1" = - ] && shift
env={GRUBENV}
action=$1
shift
case $action in
    list) grep -v '^#' $env ;;
    set | unset)
        for word do
            grep -v "^${{word%%=*}}=" $env >$env.new
            [ $action = unset ] || printf '%s\\n' "$word" >>$env.new
            cat $env.new >$env
        done ;;
esac
"""
_REBOOT_INTO = """#!/bin/sh
# grub-reboot of a node of namespaces
exec grub-editenv - set "next_entry=$1"
"""
_REBOOT = f"""#!/bin/sh
# reboot of a node of namespaces: the machine looks for this file
cat /proc/sys/kernel/random/boot_id >{ORDER}
"""
_SUDO = f"""#!/bin/sh
# sudo of a node of namespaces: whether it may is all that it decides
[ "$1" = -n ] && shift
[ ! -e {REFUSED} ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
[ "$1" != -l ] || exit 0
exec "$@"
"""
_HEAD = """set timeout=0
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
if [ "${boot_once}" != true ]; then set hpcvirt_arguments=; fi
export hpcvirt_arguments
function savedefault {
  true
}
"""


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One entry of a node's boot menu."""

    title: str
    kernel: Kernel
    submenu: str = ""

    @property
    def place(self) -> str:
        """As it is called in grubenv."""
        own = f"gnulinux-{self.kernel.release}"
        return f"{_id(self.submenu)}>{own}" if self.submenu else own


def _id(title: str) -> str:
    return "sub-" + title.lower().replace(" ", "-")


class Firmware:
    """Boots nodes as they are told by their disks, in a thread of its own, and fails as a test wants it to."""

    def __init__(self, nodes: Iterable[Node], menu: Iterable[MenuEntry], *, takes_arguments: bool = True) -> None:
        self.nodes = tuple(nodes)
        self.menu = tuple(menu)
        """The first is the default."""
        self.booted: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        """Titles that came up, in their order, by node."""
        self.panics: dict[str, set[str]] = {}
        """By node: titles of entries that do not come up, so that the default does."""
        self.wrong: dict[str, dict[str, str]] = {}
        """By node: another title that comes up in place of one."""
        self.deaf: dict[str, int] = {}
        """By node: so many orders to reboot are passed over."""
        self.same_life: dict[str, int] = {}
        """By node: so many times it comes back as if it had never been away."""
        self.mute: set[str] = set()
        """Nodes whose boot_id cannot be read after a boot."""
        self.dead: set[str] = set()
        """Nodes that go down and stay down."""
        self.down_s = 0.0
        """How long a boot takes."""
        self.lag_s = 0.0
        """How long a node that was told to go down still answers."""
        self.trouble: list[str] = []
        self._takes_arguments = takes_arguments
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Firmware:
        for node in self.nodes:
            self.furnish(node)
            self._boot(node)
            thread = threading.Thread(target=self._watch, args=(node,), name=f"firmware of {node.name}")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        for node in self.nodes:
            if node.is_on:
                node.crash()
            for path in (ORDER, REFUSED, *TOOLS):
                (node.plan.upper / path.lstrip("/")).unlink(missing_ok=True)
            node.boot("")

    def furnish(self, node: Node, menu: Iterable[MenuEntry] | None = None) -> None:
        """Tools, menu and grubenv on the node's disk, where any user may write to them."""
        for path, text in TOOLS.items():
            _write(node, path, text, 0o755)
        self.write_menu(node, self.menu if menu is None else tuple(menu))
        _write(node, GRUBENV, f"# GRUB Environment Block\nsaved_entry={self.menu[0].place}\n", 0o666)
        _write(node, f"{GRUBENV}.new", "", 0o666)
        node.path("/var/lib").chmod(0o777)

    def write_menu(self, node: Node, menu: Iterable[MenuEntry]) -> None:
        """The configuration as update-grub writes it."""
        entries = list(menu)
        arguments = " ${hpcvirt_arguments}" if self._takes_arguments else ""
        text = _HEAD if self._takes_arguments else _HEAD.replace("hpcvirt_arguments", "other_arguments")
        for submenu in dict.fromkeys(entry.submenu for entry in entries):
            inner = "".join(_menuentry(entry, arguments) for entry in entries if entry.submenu == submenu)
            text += f"submenu '{submenu}' $menuentry_id_option '{_id(submenu)}' {{\n{inner}}}\n" if submenu else inner
        _write(node, CFG, text, 0o644)

    def grubenv(self, node: Node) -> Mapping[str, str]:
        """What the node's GRUB remembers."""
        lines = node.path(GRUBENV).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    # -- the machine

    def _watch(self, node: Node) -> None:
        while not self._ending.is_set():
            try:
                if self._is_ordered(node):
                    self._obey(node)
            except Exception as error:  # told at the end: a thread's would vanish
                self.trouble.append(f"{node.name}: {type(error).__name__}: {error}")
            time.sleep(POLL_S)

    def _is_ordered(self, node: Node) -> bool:
        order = node.plan.upper / ORDER.lstrip("/")
        try:
            ordered = order.read_text().strip()
        except OSError:
            return False
        if not ordered or not node.is_on:
            return False
        node.path(ORDER).unlink()
        return True

    def _obey(self, node: Node) -> None:
        if _take(self.deaf, node.name):
            return
        self._ending.wait(self.lag_s)
        node.crash()
        if node.name in self.dead:
            return
        self._ending.wait(self.down_s)
        self._boot(node, keep_boot_id=_take(self.same_life, node.name))

    def _boot(self, node: Node, *, keep_boot_id: bool = False) -> None:
        """As GRUB does it: the order for one boot is taken back before its entry is booted."""
        if node.is_on:
            node.crash()
        env = dict(self.grubenv(node))
        ordered = env.get("next_entry", "")
        env["next_entry"] = ""
        self._keep(node, env)
        entry = self._entry(node, ordered or env["saved_entry"], env["saved_entry"])
        is_once = bool(ordered)
        if entry.title in self.panics.get(node.name, ()):
            entry, is_once = self._entry(node, env["saved_entry"], env["saved_entry"]), False
        told = self.wrong.get(node.name, {}).get(entry.title, entry.title)
        entry = next(one for one in self.menu if one.title == told)
        arguments = env.get("hpcvirt_arguments", "") if is_once and self._takes_arguments else ""
        cmdline = f"BOOT_IMAGE=/vmlinuz-{entry.kernel.release} root=/dev/sda1 ro {arguments}".strip()
        # Nobody else waits for its sshd: the runner shall meet it half booted too.
        if node.name in self.mute:
            (node.plan.folder / "fake/boot_id").write_text("")
        keep_boot_id = keep_boot_id or node.name in self.mute
        node.boot(replace(entry.kernel, cmdline=cmdline), keep_boot_id=keep_boot_id, wait=False)
        self.booted[node.name].append(entry.title)

    def _entry(self, node: Node, place: str, default: str) -> MenuEntry:
        """What is not in the menu is passed over, as GRUB does."""
        listed = node.path(CFG).read_text()
        found = {entry.place: entry for entry in self.menu if f"'{entry.place.split('>')[-1]}'" in listed}
        return found.get(place) or found.get(default) or self.menu[0]

    def _keep(self, node: Node, env: Mapping[str, str]) -> None:
        text = "".join(f"{key}={value}\n" for key, value in env.items())
        node.path(GRUBENV).write_text(f"# GRUB Environment Block\n{text}")


TOOLS: Mapping[str, str] = {
    "/usr/sbin/grub-reboot": _REBOOT_INTO,
    "/usr/bin/grub-editenv": _EDITENV,
    "/usr/sbin/reboot": _REBOOT,
    "/usr/local/bin/sudo": _SUDO,
}


def _menuentry(entry: MenuEntry, arguments: str) -> str:
    own = entry.place.split(">")[-1]
    return (
        f"menuentry '{entry.title}' --class gnu-linux $menuentry_id_option '{own}' {{\n"
        f"\tlinux /vmlinuz-{entry.kernel.release} root=/dev/sda1 ro{arguments}\n}}\n"
    )


def _write(node: Node, path: str, text: str, mode: int) -> None:
    target = node.path(path) if node.is_on else node.plan.upper / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text)
    target.chmod(mode)


def _take(counts: dict[str, int], node: str) -> bool:
    """One of so many times."""
    left = counts.get(node, 0)
    counts[node] = max(0, left - 1)
    return left > 0
