"""Boot menus as distributions write them, and the entry that an operator means."""

from __future__ import annotations

import pytest

from hpcvirt.core.errors import BootRefused
from hpcvirt.core.kernels.grub_menu import find, hands_on_once, parse_grub2, parse_grubby, parse_legacy

DEBIAN = """
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-U' {
	linux /boot/vmlinuz-6.1.0-56-rt-amd64 root=UUID=U ro
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-U' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-56-rt-amd64' --class debian $menuentry_id_option 'gnulinux-rt-U' {
		linux /boot/vmlinuz-6.1.0-56-rt-amd64 root=UUID=U ro
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-56-amd64' --class debian $menuentry_id_option 'gnulinux-stock-U' {
		linux /boot/vmlinuz-6.1.0-56-amd64 root=UUID=U ro
	}
}
submenu 'Xen' {
	menuentry "It's \\"Xen\\" 4 > 3" {
		multiboot2 /boot/xen.gz
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-56-amd64' {
		multiboot2 /boot/xen.gz
	}
}
menuentry 'The operator'\\''s own' {
	chainloader +1
}
""".splitlines()


def place(wanted: str) -> str:
    return find(parse_grub2(DEBIAN), wanted, "node1").place


def test_entries_are_found_by_what_the_menu_shows() -> None:
    assert place("Debian GNU/Linux") == "gnulinux-simple-U"
    assert place("Debian GNU/Linux, with Linux 6.1.0-56-rt-amd64") == "gnulinux-advanced-U>gnulinux-rt-U"
    whole = "Advanced options for Debian GNU/Linux > Debian GNU/Linux, with Linux 6.1.0-56-amd64"
    assert place(whole) == "gnulinux-advanced-U>gnulinux-stock-U"
    assert place("gnulinux-stock-U") == "gnulinux-advanced-U>gnulinux-stock-U"
    assert place("The operator's own") == "The operator's own"


def test_a_title_is_quoted_for_grub_where_there_is_no_id() -> None:
    assert place('It\'s "Xen" 4 > 3') == 'Xen>It\'s "Xen" 4 >> 3'


def test_one_title_in_two_submenus_is_asked_about() -> None:
    with pytest.raises(BootRefused, match="2 entries") as refused:
        place("Debian GNU/Linux, with Linux 6.1.0-56-amd64")
    assert "Xen > Debian GNU/Linux, with Linux 6.1.0-56-amd64" in refused.value.hint


def test_the_same_path_twice_is_the_first() -> None:
    """Debian lists Xen's entries twice, for two files of the same hypervisor; GRUB boots the first."""
    twice = ["menuentry 'Xen' --id 'first' {", "}", "menuentry 'Xen' --id 'second' {", "}"]
    assert find(parse_grub2(twice), "Xen", "node1").place == "first"


def test_what_is_not_there_is_said_with_what_is_near() -> None:
    with pytest.raises(BootRefused, match="no entry of its boot menu is called") as refused:
        place("Debian GNU/Linux, with Linux 6.1.0-55-rt-amd64")
    assert "did you mean 'Debian GNU/Linux, with Linux 6.1.0-56-rt-amd64'?" in refused.value.hint
    with pytest.raises(BootRefused) as refused:
        find([], "anything", "node1")
    assert refused.value.hint == "its menu could not be read"


HANDED_ON = """
set hpcvirt_arguments=
{export}
menuentry 'plain' {{
    linux /vmlinuz root=/dev/sda1 ro
}}
menuentry 'marked' {{
    if [ x = x ]; then
        echo 'loading'
    fi
    linux /vmlinuz root=/dev/sda1 ro ${{hpcvirt_arguments}}
}}
menuentry 'only said' {{
    echo '${{hpcvirt_arguments}}'
    # linux /vmlinuz ${{hpcvirt_arguments}}
    linux /vmlinuz root=/dev/sda1 # ${{hpcvirt_arguments}}
}}
submenu 'more' {{
    menuentry 'Xen' {{
        multiboot2 /xen.gz ${{hpcvirt_arguments}}
        module2 /vmlinuz root=/dev/sda1
    }}
    menuentry 'dom0' {{
        multiboot2 /xen.gz
        module2 /vmlinuz root=/dev/sda1 ${{hpcvirt_arguments}}
    }}
}}
linux /vmlinuz ${{hpcvirt_arguments}}
"""


@pytest.mark.parametrize(
    ("export", "marked"), [("export hpcvirt_arguments", ["marked", "dom0"]), ("# export hpcvirt_arguments", ["marked"])]
)
def test_which_entries_hand_our_arguments_on(export: str, marked: list[str]) -> None:
    """Each for itself; in a submenu only what was exported."""
    entries = parse_grub2(HANDED_ON.format(export=export).splitlines())
    assert [entry.titles[-1] for entry in entries] == ["plain", "marked", "only said", "Xen", "dom0"]
    assert [entry.titles[-1] for entry in entries if entry.takes_arguments] == marked


def test_grubby_and_legacy() -> None:
    told = 'index=0\nkernel="/boot/vmlinuz-5"\nargs="ro ${hpcvirt_arguments}"\n'
    told += 'title="Rocky (5.14)"\nid="abc-5.14"\nindex=1\ntitle="Old"\nid="abc-5.13"'
    assert [(entry.shown, entry.place, entry.takes_arguments) for entry in parse_grubby(told.splitlines())] == [
        ("Rocky (5.14)", "abc-5.14", True),
        ("Old", "abc-5.13", False),
    ]
    menu = "default=0\ntitle CHAOS 3 (2.6.9)\n\tkernel /vmlinuz\n  title RHEL4\n".splitlines()
    assert [(entry.shown, entry.place) for entry in parse_legacy(menu)] == [("CHAOS 3 (2.6.9)", "0"), ("RHEL4", "1")]


COPIED = """
menuentry 'Debian' $menuentry_id_option 'gnulinux-simple-U' {
    linux /vmlinuz ro
}
menuentry 'Debian nosmt' $menuentry_id_option 'gnulinux-simple-U' {
    linux /vmlinuz ro nosmt
}
submenu 'More' $menuentry_id_option 'more' {
    menuentry 'Debian nosmt' $menuentry_id_option 'gnulinux-simple-U' {
        linux /vmlinuz ro nosmt quiet
    }
    menuentry 'Debian nosmt' $menuentry_id_option 'quiet' {
        linux /vmlinuz ro nosmt quiet
    }
}
submenu 'more' {
    menuentry 'unreachable' --id far {
        linux /vmlinuz ro
    }
}
menuentry 'gnulinux-simple-U' {
    linux /vmlinuz ro
}
menuentry '7' {
    linux /vmlinuz ro
}
menuentry 'caf\N{REPLACEMENT CHARACTER}' {
    linux /vmlinuz ro
}
""".splitlines()


def test_an_id_that_an_entry_before_it_has_is_not_its_name() -> None:
    """GRUB takes the first that has the id or the title it was told: a copied stanza is told by its title."""
    entries = parse_grub2(COPIED)
    assert find(entries, "Debian", "node1").place == "gnulinux-simple-U"
    assert find(entries, "Debian nosmt", "node1").place == "Debian nosmt"
    assert find(entries, "More > Debian nosmt", "node1").place == "more>gnulinux-simple-U"
    # What it is called by hand must be one of them, too.
    with pytest.raises(BootRefused, match="3 entries of its boot menu are called 'gnulinux-simple-U'"):
        find(entries[:3], "gnulinux-simple-U", "node1")


@pytest.mark.parametrize("wanted", ["unreachable", "gnulinux-simple-U", "7", "caf\N{REPLACEMENT CHARACTER}"])
def test_an_entry_that_grub_cannot_be_told_is_refused(wanted: str) -> None:
    with pytest.raises(BootRefused, match="GRUB would boot another entry than"):
        find(parse_grub2(COPIED), wanted, "node1")


EMPTIED = 'if [ "${boot_once}" != true ]; then set hpcvirt_arguments=; fi'


@pytest.mark.parametrize(
    ("text", "is_once"),
    [
        (EMPTIED, True),
        ('if [ "$boot_once" != "true" ] ; then\n  unset hpcvirt_arguments\nfi', True),
        (f"# {EMPTIED}", False),
        ("set hpcvirt_arguments=", False),
        ("export hpcvirt_arguments", False),
        ('if [ "${boot_once}" != true ]; then set hpcvirt_arguments=quiet; fi', False),
        ('if [ "${boot_once}" = true ]; then set hpcvirt_arguments=; fi', False),
    ],
)
def test_whether_arguments_are_for_the_ordered_boot_alone(text: str, is_once: bool) -> None:
    assert hands_on_once(text.splitlines()) is is_once
