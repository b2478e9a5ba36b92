"""CSV files that grow row by row, so that what was measured is kept."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows, none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def put(path: Path, row: Row, *, key: Sequence[str]) -> None:
    """Add a row, in place of one with the same key."""
    new = {name: str(value) for name, value in row.items()}
    kept = [old for old in read(path) if any(old[name] != new[name] for name in key)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, new])
