"""The results of a run: one CSV row an evaluation."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from transreward_baselines.config import RunDirectoryError
from transreward_wrappers.storage import write_bytes

FILE = "results.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One evaluation of the deterministic policy on the plain domains."""

    step: int
    """Environment steps of training, of both domains together."""

    source_steps: int
    target_steps: int

    target_return: float
    """Mean over the episodes."""

    target_spread: float
    """Standard deviation over the episodes."""

    source_return: float
    source_spread: float

    seconds: float
    """Wall-clock time of training so far [s]."""


def read_results(directory: Path) -> list[Result]:
    """Return a run's evaluations, the oldest first; none if there are none yet."""
    path = directory / FILE
    if not path.exists():
        return []
    kinds: dict[str, Any] = {field.name: int if field.type == "int" else float for field in fields(Result)}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [Result(**{name: kind(row[name]) for name, kind in kinds.items()}) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(f"{path} does not hold a run's results ({error!r}). Delete it.") from error


def write_results(directory: Path, results: list[Result]) -> None:
    """Write a run's evaluations."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Result)])
    writer.writeheader()
    writer.writerows(asdict(result) for result in results)
    write_bytes(directory / FILE, text.getvalue().encode())
