"""The results of a run: one CSV row an evaluation."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from transreward_baselines.run_directory import RunDirectoryError
from transreward_wrappers.storage import write_bytes

FILE = "results.csv"
CASTS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "int | None": lambda text: int(text) if text else None,
    "float | None": lambda text: float(text) if text else None,
    "str | None": lambda text: text or None,
}
Row = TypeVar("Row")


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
    """NaN where the source has another robot, which the policy cannot act with."""

    source_spread: float

    seconds: float
    """Wall-clock time of training so far [s]."""

    def __str__(self) -> str:
        source = "" if math.isnan(self.source_return) else f", {self.source_return:.0f} in the source"
        spent = f"{self.source_steps} source and {self.target_steps} target steps"
        return f"return {self.target_return:.0f} in the target{source}, after {spent}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One evaluation of a deterministic policy in one plain domain."""

    step: int
    """Environment steps of training."""

    seconds: float
    """Wall-clock time of training so far, without that of evaluations [s]."""

    domain: str
    """``target`` or ``source`` of the pair trained in, or ``plain`` for any other id."""

    return_mean: float
    return_std: float
    episodes: int

    source_steps: int | None = None
    """Steps taken in the source of the pair, those of fitting a compensation included; none where the id is of no pair,
    or the row of an earlier version, which did not tell."""

    target_steps: int | None = None


def read_results(directory: Path) -> list[Result]:
    """Return the evaluations of a run by ``transreward train``, the oldest first; none if there are none yet."""
    return read_rows(directory, Result)


def write_results(directory: Path, results: list[Result]) -> None:
    """Write a run's evaluations."""
    write_rows(directory, results, Result)


def read_rows(directory: Path, kind: type[Row]) -> list[Row]:
    """Return a run's rows, the oldest first; none if there are none yet."""
    return read_table(directory / FILE, kind)


def read_table(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows that :func:`write_table` wrote; none if there is no such file.

    Raises:
        RunDirectoryError: It holds something else.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames or ()
    casts: dict[str, Any] = {
        field.name: CASTS[str(field.type)]
        for field in fields(kind)  # type: ignore[arg-type]
        if field.name in columns or field.default is MISSING
    }
    try:
        return [kind(**{name: cast(row[name]) for name, cast in casts.items()}) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(f"{path} is not such a table of results ({error!r}). Delete it.") from error


def write_rows(directory: Path, rows: Sequence[Row], kind: type[Row]) -> None:
    """Write a run's rows."""
    write_table(directory / FILE, rows, kind)


def write_table(path: Path, rows: Sequence[Row], kind: type[Row]) -> None:
    """Write rows as CSV, with a column a field."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)  # type: ignore[call-overload]
    write_bytes(path, text.getvalue().encode())
