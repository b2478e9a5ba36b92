"""Offline scripts' command lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TypeVar

import tyro

from transreward_baselines.offline.args import OfflineArgs

T = TypeVar("T", bound=OfflineArgs)


def parse(args: type[T], words: Sequence[str] | None = None) -> T:
    """Return what a command line means; a mistake in it ends the program with a message."""
    try:
        return tyro.cli(args, args=words)
    except (ValueError, TypeError) as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(2)
