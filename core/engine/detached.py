"""What on the login node could end a campaign, or lock it out, when the operator logs out."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LOGIND = ("usr/lib/systemd", "usr/local/lib/systemd", "etc/systemd", "run/systemd")


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is well now and may not stay so."""

    message: str
    remedy: str


def warnings(env: Mapping[str, str], user: str, locked_out: Iterable[str], root: Path = Path("/")) -> Iterator[Warned]:
    """``locked_out``: nodes that refuse us without agent and ticket. ``root``: where this machine's files are."""
    nodes = ", ".join(locked_out)
    if nodes:
        yield Warned(
            f"only the SSH agent (or a Kerberos ticket) opens {nodes}: it is gone when you log out, and a lost "
            "connection then stays lost",
            "name a key file without passphrase for these nodes (identity_file), made for this purpose and "
            "restricted on the nodes with from=; or stay logged in, in tmux on this machine",
        )
    if kills_user_processes(root) and not (root / "var/lib/systemd/linger" / user).exists():
        yield Warned(
            "KillUserProcesses=yes in logind.conf: at logout the runner is killed, tmux and nohup or not",
            "`loginctl enable-linger`, then start it by "
            "`systemd-run --user --scope hpcvirt-tui run ...`; what was under way on the nodes is collected by the "
            "next `run` in any case",
        )
    ticket = kerberos_cache(env, root)
    if ticket:
        yield Warned(
            f"there is a Kerberos ticket ({ticket}): where it opens the nodes or this machine's home folder, both "
            "are closed when it expires",
            "keep it fresh for the whole campaign: `krenew -b -K 60` or `k5start` with a keytab; see `klist` for "
            "its end",
        )


def kills_user_processes(root: Path = Path("/")) -> bool:
    """KillUserProcesses of logind.conf and of its drop-ins, the last one wins. Its default is no."""
    mains = [root / folder / "logind.conf" for folder in LOGIND]
    drops = {path.name: path for folder in LOGIND for path in (root / folder / "logind.conf.d").glob("*.conf")}
    value = False
    for path in [*mains, *(drops[name] for name in sorted(drops))]:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            parser.read(path)
            value = parser.getboolean("Login", "KillUserProcesses", fallback=value)
        except (configparser.Error, ValueError, UnicodeDecodeError):
            continue
    return value


def kerberos_cache(env: Mapping[str, str], root: Path = Path("/")) -> str:
    """Name of a ticket cache; empty if there is none."""
    named = env.get("KRB5CCNAME", "")
    if named:
        return named
    default = root / f"tmp/krb5cc_{os.getuid()}"
    return str(default) if default.exists() else ""
