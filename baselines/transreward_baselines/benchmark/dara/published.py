"""The figures that the paper prints, to be shown beside ours (Liu et al. 2022, arXiv:2203.06662, table 1).

They are data, in ``transreward_assets/references/dara.json``: rows of a pair, a quality, an algorithm and an amount, by
the table's own names, and a score on D4RL's scale: ``["Hopper-dara-mass", "medium", "bcq", "10T", <score>]``.
The file that ships has no rows, because the paper's table could not be had when it was written; whoever has the paper
types them in, and tables then have columns more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

from transreward_baselines.benchmark.dara.cells import AMOUNTS, all_cells

FILE = "dara.json"
PLAIN_NAMES = ("pair", "quality", "algorithm", "amount", "score")

Key = tuple[str, str, str, str]
"""Pair, quality, algorithm and amount."""


def published_scores() -> Mapping[Key, float]:
    """Return what the paper prints; nothing where it is not typed in.

    Raises:
        ValueError: A row breaks the rules of the file.
    """
    text = resources.files("transreward_assets").joinpath("references", FILE).read_text()
    return parse_scores(json.loads(text))


def parse_scores(content: Mapping[str, Any]) -> Mapping[Key, float]:
    """Return the rows of the file's content; see :func:`published_scores`."""
    if tuple(content["columns"]) != PLAIN_NAMES:
        raise ValueError(f"The columns of {FILE} are {', '.join(PLAIN_NAMES)}; got {content['columns']}.")
    cells, scores = {str(cell) for cell in all_cells()}, dict[Key, float]()
    for row in content["rows"]:
        pair, quality, algorithm, amount, score = row
        key = pair, quality, algorithm, amount
        if f"{pair}/{quality}" not in cells or amount not in AMOUNTS or key in scores:
            raise ValueError(f"Rows of {FILE} are of a cell and an amount of the table, and of each once; got {row}.")
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise ValueError(f"Scores in {FILE} are finite numbers; got {row}.")
        scores[key] = float(score)
    return scores
