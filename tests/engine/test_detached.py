"""What ends with a login, told before a campaign starts."""

from __future__ import annotations

from pathlib import Path

from hpcvirt.core.engine.detached import kills_user_processes, warnings


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n")
    assert list(warnings({}, "me", [], tmp_path)) == []


def test_the_last_drop_in_wins_and_lingering_helps(tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n")
    put(tmp_path, "usr/lib/systemd/logind.conf.d/20-site.conf", "[Login]\nKillUserProcesses=yes\n")
    assert kills_user_processes(tmp_path)
    (warned,) = warnings({}, "me", [], tmp_path)
    assert "enable-linger" in warned.remedy
    put(tmp_path, "var/lib/systemd/linger/me")
    assert list(warnings({}, "me", [], tmp_path)) == []
    put(tmp_path, "etc/systemd/logind.conf.d/30-ours.conf", "[Login]\nKillUserProcesses=no\n")
    assert not kills_user_processes(tmp_path)


def test_agents_and_tickets_are_named_with_their_remedy(tmp_path: Path) -> None:
    told = list(warnings({"KRB5CCNAME": "KEYRING:persistent:7"}, "me", ["node1", "node2"], tmp_path))
    assert ["node1, node2" in told[0].message, "identity_file" in told[0].remedy] == [True, True]
    assert ["KEYRING" in told[1].message, "krenew" in told[1].remedy] == [True, True]


def test_a_broken_logind_conf_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/logind.conf", "KillUserProcesses=yes\n")
    assert not kills_user_processes(tmp_path)
