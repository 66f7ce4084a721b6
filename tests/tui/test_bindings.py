"""Every key of every screen and widget of ours can be named and is explained."""

from __future__ import annotations

import importlib
import pkgutil

from textual.binding import Binding
from textual.dom import DOMNode

import hpcvirt.tui


def ours() -> list[type[DOMNode]]:
    for module in pkgutil.walk_packages(hpcvirt.tui.__path__, "hpcvirt.tui."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, left = set(), [DOMNode]
    while left:
        subclasses = left.pop().__subclasses__()
        left += subclasses
        found |= {one for one in subclasses if one.__module__.startswith("hpcvirt.tui.")}
    return sorted(found, key=lambda one: one.__qualname__)


def test_every_binding_has_an_id_and_a_tooltip() -> None:
    bindings = [(one, binding) for one in ours() for binding in one.__dict__.get("BINDINGS", ())]
    assert len(bindings) > 60
    for widget, binding in bindings:
        assert isinstance(binding, Binding), widget
        assert binding.id, (widget, binding.key)
        assert binding.tooltip, (widget, binding.key)
        assert binding.description, (widget, binding.key)


def test_no_id_stands_for_two_things() -> None:
    bindings = [(binding.id, binding.action) for one in ours() for binding in one.__dict__.get("BINDINGS", ())]
    assert len(dict(bindings)) == len(set(bindings))
