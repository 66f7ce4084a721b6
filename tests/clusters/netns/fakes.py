"""What a node claims of itself: kernel, clock. Bind mounts over files and tools; system calls are not fooled."""

import os
import shlex
from dataclasses import dataclass

_UNAME = r"""#!/bin/sh
# uname of a node with a faked kernel. Shell builtins only: its cost must not show in measured times.
read -r node </proc/sys/kernel/hostname
letters=
for word do
  case $word in
    --all) letters=${letters}a ;;
    --kernel-name | --sysname) letters=${letters}s ;;
    --nodename) letters=${letters}n ;;
    --kernel-release | --release) letters=${letters}r ;;
    --kernel-version) letters=${letters}v ;;
    --machine) letters=${letters}m ;;
    --operating-system) letters=${letters}o ;;
    -[asnrvmpio]*) letters=$letters${word#-} ;;
    *) echo "uname: unknown operand '$word'" >&2; exit 1 ;;
  esac
done
line=
add() { case ${letters:-s} in *["$1"]*) line="$line${line:+ }$2" ;; esac; }
add sa Linux
add na "$node"
add ra @RELEASE@
add va @VERSION@
add ma @MACHINE@
add p unknown
add i unknown
add oa GNU/Linux
printf '%s\n' "$line"
"""

_DATE = r"""#!/bin/sh
# date of a node whose clock is faked to be @OFFSET@ s off. A date that the caller gives is left alone.
for word do
  case $word in
    -d* | --date* | -r* | --reference* | -s* | --set* | -f* | --file*) exec @REAL@ "$@" ;;
  esac
done
now=$(@REAL@ +%s.%N)
exec @REAL@ --date="@$((${now%.*} + @OFFSET@)).${now#*.}" "$@"
"""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel that a node claims to run."""

    release: str
    """As of `uname -r`."""
    version: str = "#1 SMP PREEMPT_DYNAMIC"
    """As of `uname -v`."""
    cmdline: str | None = None
    """Without one: a plausible line that names the release."""
    machine: str = os.uname().machine

    def files(self, uname: str) -> dict[str, str]:
        """Path on the node -> contents; `uname` is where the tool is."""
        cmdline = self.cmdline or f"BOOT_IMAGE=/vmlinuz-{self.release} root=/dev/sda1 ro quiet"
        return {
            "/proc/sys/kernel/osrelease": f"{self.release}\n",
            "/proc/sys/kernel/version": f"{self.version}\n",
            "/proc/version": f"Linux version {self.release} (netns@cluster) {self.version}\n",
            "/proc/cmdline": f"{cmdline}\n",
            uname: uname_script(self),
        }


def uname_script(kernel: Kernel) -> str:
    """A stand-in for uname(1)."""
    values = {"@RELEASE@": kernel.release, "@VERSION@": kernel.version, "@MACHINE@": kernel.machine}
    return _filled(_UNAME, {mark: shlex.quote(value) for mark, value in values.items()})


def date_script(real: str, offset_s: int) -> str:
    """A stand-in for date(1) whose clock is `offset_s` off; `real` is where the true one is."""
    return _filled(_DATE, {"@REAL@": shlex.quote(real), "@OFFSET@": str(offset_s)})


def _filled(template: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template
