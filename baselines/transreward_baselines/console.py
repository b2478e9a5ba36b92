"""Where tables go."""

from __future__ import annotations

from rich.console import Console


def console() -> Console:
    """Return a console that does not cut tables when the output is not a terminal."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=160)
