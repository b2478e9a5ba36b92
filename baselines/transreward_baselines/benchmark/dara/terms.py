"""The terms on which all runs of a table are made, and the file in its directory that says them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from transreward_baselines.benchmark.dara.command import TableArgs
from transreward_baselines.run_directory import RunDirectoryError
from transreward_baselines.versions import versions
from transreward_wrappers.storage import write_json

FILE = "table.json"
FORMAT = 1
TERMS = (
    "table",
    "updates",
    "finetune_share",
    "size",
    "eta",
    "classifier_updates",
    "batch_size",
    "hidden",
    "evaluations",
    "eval_episodes",
    "bfloat16",
)
"""Settings that all runs of a table have in common."""

FIXED = {"iql_rate": "cosine"}
"""What is not asked for, and has been otherwise before."""


def claim(directory: Path, args: TableArgs) -> None:
    """Make a directory a table's, or check that what is there was made on the same terms.

    Raises:
        RunDirectoryError: The directory's runs are on other terms, or it holds other files.
    """
    path, ours = directory / FILE, {**{name: getattr(args, name) for name in TERMS}, **FIXED}
    if directory.exists() and any(directory.glob("[!.]*")) and not path.exists():  # another process writes this first
        raise RunDirectoryError(
            f"A new table needs an empty directory; {directory} holds files and no {FILE}. Choose another `--out`."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / ".table.lock"):
        if not path.exists():
            write_json(path, {"format": FORMAT, "terms": ours, "versions": versions()})
            return
        theirs = read_terms(directory)
    listing = "; ".join(
        f"{name}: {theirs.get(name)!r} there, {value!r} asked for"
        for name, value in ours.items()
        if theirs.get(name) != value
    )
    if listing:
        raise RunDirectoryError(
            f"All runs of a table are on the same terms; {directory} has others ({listing}). Choose another `--out`, "
            "or delete it."
        )


def read_terms(directory: Path) -> dict[str, Any]:
    """Return the terms of a table's directory.

    Raises:
        RunDirectoryError: It is none.
    """
    path = directory / FILE
    try:
        content = dict(json.loads(path.read_text()))
        terms = dict(content["terms"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunDirectoryError(f"{path} does not say the terms of a table: {error!r}.") from error
    if content.get("format") != FORMAT:
        raise RunDirectoryError(f"{path} is of format {content.get('format')!r}; this version reads {FORMAT}.")
    return terms
