"""The two themes of the house. Every other theme of Textual works too."""

from __future__ import annotations

from textual.theme import Theme

DARK = "hpcvirt-dark"
LIGHT = "hpcvirt-light"
WITHOUT_COLOR = "ansi-dark"
"""With NO_COLOR any other theme would still paint greys."""

THEMES = (
    Theme(
        name=DARK,
        dark=True,
        primary="#6ea8fe",
        secondary="#7c8fb0",
        accent="#8bd5ca",
        success="#8fce7e",
        warning="#e8b45a",
        error="#f2777a",
        foreground="#d3dae6",
        background="#11151c",
        surface="#161b24",
        panel="#212836",
        variables={
            "border": "#6ea8fe",
            "border-blurred": "#39445a",
            "block-cursor-background": "#2b4570",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-blurred-background": "#202b3d",
            "block-cursor-blurred-foreground": "#d3dae6",
            "footer-background": "#161b24",
            "footer-key-foreground": "#6ea8fe",
            "footer-description-foreground": "#98a4b8",
        },
    ),
    Theme(
        name=LIGHT,
        dark=False,
        primary="#1f5fbf",
        secondary="#5a6b85",
        accent="#0b7a75",
        success="#2c7a2f",
        warning="#9a5b00",
        error="#c0282d",
        foreground="#1f2733",
        background="#fcfcfa",
        surface="#f3f4f2",
        panel="#e3e6ea",
        variables={
            "border": "#1f5fbf",
            "border-blurred": "#b9c0ca",
            "block-cursor-background": "#cfe0fa",
            "block-cursor-foreground": "#0d1726",
            "block-cursor-blurred-background": "#e6ecf5",
            "block-cursor-blurred-foreground": "#1f2733",
            "footer-background": "#eceeed",
            "footer-key-foreground": "#1f5fbf",
            "footer-description-foreground": "#4a5565",
        },
    ),
)
