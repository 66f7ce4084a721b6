"""What a node says when it lets nobody, or not this one, in: in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from hpcvirt.core.text import clean_line


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why, and what to do."""

    words: str
    remedy: str


_KNOWN = (
    (
        ("pam_slurm", "no active jobs on this node", "access denied by pam_slurm_adopt"),
        "its scheduler lets in only who has a job there (pam_slurm_adopt)",
        "take the nodes first: salloc -w {node} --exclusive; or have the administrator let you in",
    ),
    (
        ("pam_pbs", "access to this node is restricted", "you do not have a job running"),
        "its scheduler lets in only who has a job there",
        "take the nodes first, as a job; or have the administrator let you in",
    ),
    (
        ("system is booting up", "unprivileged users are not permitted", "is going down", "pam_nologin", "nologin"),
        "it lets nobody in for now: it is booting, going down, or closed for work (nologin)",
        "wait; if it stays so: ls -l /etc/nologin /run/nologin at its console",
    ),
    (
        ("account has expired", "account expired"),
        "your account there has expired",
        "ask the administrator: chage -l USER",
    ),
    (
        ("password has expired", "password expired", "required to change your password"),
        "your password there has expired, and nobody is there to change it",
        "log in by hand once: ssh {host}",
    ),
    (
        ("access denied", "not permitted to log in", "pam_access", "not allowed"),
        "it does not let this user in",
        "ask the administrator: AllowUsers of its sshd, /etc/security/access.conf",
    ),
)


def refusal(banner: str, node: str, host: str) -> Refusal | None:
    """What a banner shown at login means; None: it says nothing about being refused."""
    said = banner.lower()
    for marks, words, remedy in _KNOWN:
        if any(mark in said for mark in marks):
            shown = clean_line(banner)
            return Refusal(f"{words}; it says: {shown}", remedy.format(node=node, host=host))
    return None
