"""CSV files that grow row by row, so that what was measured is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transreward_wrappers.storage import write_bytes

Row = dict[str, Any]


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows, none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def put(path: Path, row: Row, *, key: Sequence[str]) -> None:
    """Add a row, in place of one with the same key.

    Raises:
        ValueError: The table has other columns.
    """
    new, before = {name: str(value) for name, value in row.items()}, read(path)
    if before and list(before[0]) != list(new):
        raise ValueError(
            f"A table has the columns {', '.join(new)}; {path} has {', '.join(before[0])}, of another version. Measure "
            "into another folder, or delete it."
        )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerows([*(old for old in before if any(old[name] != new[name] for name in key)), new])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.getvalue().encode())
