"""Files that make a node a node and the login node a login node, written before the first boot."""

import base64
import hashlib
import hmac
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import spaces

NETWORK = "198.18.77"
"""Of the block for benchmark networks (RFC 2544), which nobody routes, should a packet ever escape."""
LOGIN_ADDRESS = f"{NETWORK}.1"
USER = "bench"
USER_ID = 7700
USER_HOME = f"/shared/home/{USER}"
"""On the folder that all nodes share, as homes on clusters are."""
SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SSHD_CONFIG = """\
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""

_CLIENT_CONFIG = """\
Host node*
    User root
    IdentityFile {key}
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 5
"""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What does not change about a node."""

    index: int
    """From 1."""
    folder: Path
    """Its part of the cluster's state folder."""
    scratch_size: int | None = None
    """Bytes of the small disk at /scratch; without one /scratch is a plain folder."""
    disk: Path | None = None
    """A folder of this machine that is /scratch instead."""

    @property
    def has_own_scratch(self) -> bool:
        """/scratch is a file system of its own."""
        return self.scratch_size is not None or self.disk is not None

    @property
    def name(self) -> str:
        """Host name."""
        return f"node{self.index}"

    @property
    def address(self) -> str:
        """IPv4 address, seen from the cluster only."""
        return f"{NETWORK}.{10 + self.index}"

    @property
    def mac(self) -> str:
        """The same in all its lives, as a network card's is."""
        return f"02:00:c6:12:4d:{10 + self.index:02x}"

    @property
    def port(self) -> str:
        """Interface at the login node's switch that its cable goes to."""
        return f"port{self.index}"

    @property
    def upper(self) -> Path:
        """What the node's root has over the machine's: its disk."""
        return self.folder / "upper"


@dataclass(frozen=True, slots=True)
class Client:
    """The operator's side: an account on the login node."""

    home: Path
    """Of root on the login node, and HOME in `env`."""
    key: Path
    known_hosts: Path
    config: Path
    """`~/.ssh/config`."""
    etc: Path
    """What is put here is seen in /etc by programs started on the login node afterwards, e.g. `ssh/ssh_known_hosts`."""
    user: str = "root"

    @property
    def env(self) -> dict[str, str]:
        """The machine's environment with the operator's HOME and without an agent or terminal multiplexer."""
        hidden = {"SSH_AUTH_SOCK", "SSH_AGENT_PID", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TMUX"}
        return {name: value for name, value in os.environ.items() if name not in hidden} | {"HOME": str(self.home)}


def make_key(path: Path, comment: str) -> None:
    """An ed25519 key pair without passphrase."""
    path.unlink(missing_ok=True)
    spaces.command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def make_client(folder: Path) -> Client:
    """Home, key and configuration of the operator."""
    home, etc = folder / "home", folder / "etc"
    client = Client(home, home / ".ssh/id_ed25519", home / ".ssh/known_hosts", home / ".ssh/config", etc)
    make_folder(home, ".ssh", mode=0o700)
    make_folder(etc, "ssh")
    make_key(client.key, "operator")
    client.config.write_text(_CLIENT_CONFIG.format(key=client.key, known_hosts=client.known_hosts))
    client.known_hosts.touch(0o600)
    (etc / "hostname").write_text("login\n")
    (etc / "resolv.conf").write_text("# no name server: names are those of /etc/hosts\n")
    # OpenSSH looks for ~/.ssh in the home of the password file, whatever HOME says
    (etc / "passwd").write_text(_passwd(str(home), "/bin/sh"))
    return client


def make_node(plan: NodePlan, client: Client, hosts: str) -> None:
    """The node's disk before its first boot, but for the known hosts."""
    for sub in ("work", "root", "fake", "scratch"):
        (plan.folder / sub).mkdir(parents=True)
    upper = make_folder(plan.folder, "upper")
    for path in ("etc/ssh", "shared", "scratch"):
        make_folder(upper, path)
    for path, mode in (("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777)):
        make_folder(upper, path, mode=mode)
        os.setxattr(upper / path, "trusted.overlay.opaque", b"y")  # the machine's own files are not the node's
    (upper / "scratch").chmod(0o1777)
    etc = {"hosts": hosts, "hostname": f"{plan.name}\n", "passwd": _passwd("/root", "/bin/sh"), "group": _group()}
    for name, text in (etc | {"ssh/sshd_config": sshd_config()}).items():
        (upper / "etc" / name).write_text(text)
        (upper / "etc" / name).chmod(0o644)
    write_secret(upper / "etc/shadow", _shadow())
    make_key(upper / "etc/ssh/ssh_host_ed25519_key", plan.name)
    give_key(upper / "root", client, owner=0)


def give_key(home: Path, client: Client, owner: int) -> None:
    """The operator's key opens this account, and from it the other nodes, as MPI wants."""
    make_folder(home, ".ssh", mode=0o700)
    write_secret(home / ".ssh/authorized_keys", client.key.with_suffix(".pub").read_text())
    write_secret(home / ".ssh/id_ed25519", client.key.read_text())
    for path in (home, home / ".ssh", *(home / ".ssh").iterdir()):
        os.chown(path, owner, owner)


def make_folder(base: Path, path: str, mode: int = 0o755) -> Path:
    """`base/path` whatever the umask is: folders on the way to it are 0755."""
    folder = base
    for part in Path(path).parts:
        folder = folder / part
        folder.mkdir(exist_ok=True, parents=True)
        folder.chmod(0o755)
    folder.chmod(mode)
    return folder


def write_secret(path: Path, text: str) -> None:
    """A file for its owner only."""
    path.write_text(text)
    path.chmod(0o600)


def sshd_config() -> str:
    """For the sshd of this machine: one that penalises clients, as from 9.8, is told not to."""
    told = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False, timeout=5).stderr
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", told)
    penalises = version is not None and (int(version[1]), int(version[2])) >= (9, 8)
    return _SSHD_CONFIG + ("PerSourcePenalties no\n" if penalises else "")


def sshd_path() -> str | None:
    """sshd refuses to be started by a name that is no absolute path."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:{SBIN_PATH}")


def hosts_file(plans: list[NodePlan]) -> str:
    """/etc/hosts of the login node and of all nodes."""
    lines = ["127.0.0.1 localhost", f"{LOGIN_ADDRESS} login", *(f"{plan.address} {plan.name}" for plan in plans)]
    return "\n".join(lines) + "\n"


def known_hosts_lines(plan: NodePlan, hashed: bool) -> str:
    """Entries for the node's name and address; hashed ones take a line each."""
    kind, key = (plan.upper / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    names = [plan.name, plan.address]
    patterns = [hashed_name(name) for name in names] if hashed else [",".join(names)]
    return "".join(f"{pattern} {kind} {key}\n" for pattern in patterns)


def hashed_name(name: str) -> str:
    """As `ssh-keygen -H` writes it."""
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _passwd(root_home: str, shell: str) -> str:
    """The machine's accounts, root with another home and shell, and one ordinary user.

    /bin/sh, because a bash with a long start-up file costs 120 ms a command where it costs 3 to 8.
    """
    others = [line for line in _lines("/etc/passwd") if not line.startswith(("root:", f"{USER}:"))]
    user = f"{USER}:x:{USER_ID}:{USER_ID}::{USER_HOME}:{shell}"
    return "\n".join([f"root:x:0:0:root:{root_home}:{shell}", *others, user]) + "\n"


def _group() -> str:
    return "\n".join([*_lines("/etc/group"), f"{USER}:x:{USER_ID}:"]) + "\n"


def _shadow() -> str:
    """No password fits "*"; an account with "!" would count as locked and be refused whatever its key."""
    names = [line.split(":")[0] for line in _lines("/etc/passwd")]
    return "".join(f"{name}:*:19000:0:99999:7:::\n" for name in dict.fromkeys([*names, USER]))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
