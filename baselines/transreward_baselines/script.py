"""Command lines of scripts that say in a line what cannot be done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro
from gymnasium.error import DependencyNotInstalled

T = TypeVar("T")

TOLD = (ValueError, TypeError, RuntimeError, OSError, MemoryError, DependencyNotInstalled)
"""Errors whose message is all that a user needs."""


def run_script(
    main: Callable[[T], Any],
    args: type[T],
    words: Sequence[str] | None = None,
    *,
    read: Callable[..., T] = tyro.cli,
) -> None:
    """Run a script as its command line says; what cannot be done ends the program with a message.

    Args:
        main: Of the script.
        args: What it can be told.
        words: The command line; that of the process when left out.
        read: From the kind of arguments and ``args``, the command line, to what it means.
    """
    try:
        main(read(args, args=words))
    except TOLD as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
