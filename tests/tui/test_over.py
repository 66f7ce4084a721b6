"""Screens over the panes, asked to close when they have closed, or are not what is seen."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from textual.content import Content
from textual.screen import Screen

import hpcvirt.tui.screens
import hpcvirt.tui.widgets
from hpcvirt.tui.screens.dialogs import HelpDialog
from hpcvirt.tui.screens.main import MainScreen
from hpcvirt.tui.widgets.over import Over
from tests.tui.seeing import at_campaign


async def test_a_screen_closes_once_and_nothing_but_itself() -> None:
    async with at_campaign() as eye:
        lower, upper = HelpDialog("Lower", Content("")), HelpDialog("Upper", Content(""))
        eye.app.push_screen(lower)
        eye.app.push_screen(upper)
        await eye.until("Upper")
        for _ in range(2):
            lower.action_close()
            await eye.pilot.pause()
            assert eye.app.screen is upper
        upper.action_close()
        upper.action_close()
        await eye.until("Lower", gone=("Upper",))
        await eye.press("escape")
        assert isinstance(eye.app.screen, MainScreen)


@pytest.mark.parametrize("package", [hpcvirt.tui.screens, hpcvirt.tui.widgets])
def test_all_screens_do(package: object) -> None:
    names = [module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]  # type: ignore[attr-defined]
    kinds = {
        kind
        for name in names
        for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if issubclass(kind, Screen) and kind.__module__ == name
    }
    assert kinds
    assert {kind for kind in kinds if not issubclass(kind, Over)} <= {MainScreen}
