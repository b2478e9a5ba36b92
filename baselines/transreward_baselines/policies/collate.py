"""Puts the scores of all domains and pairs into the table of reference returns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from transreward_baselines.policies.train import Workplace, measure_transfer
from transreward_envs import PAIRS, Pair
from transreward_envs.pairs import ROLES
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.storage import write_json

Table = dict[str, dict[str, Any]]


def collate(workplace: Workplace, path: Path) -> Table:
    """Merge what has been measured into a table of reference returns, and write it.

    For each domain it has what random actions, the medium policy and the expert return; for each pair whose domains
    are both done, what the source's expert returns in the target.

    Args:
        workplace: Where the scores are.
        path: The table; rows that were not measured anew stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        table: Table = json.loads(path.read_text()) if path.exists() else {"domains": {}, "pairs": {}}
        files = sorted((workplace.runs / "scores").glob("*.json"))
        scores = {file.stem: json.loads(file.read_text()) for file in files}
        fresh = {name for name, row in scores.items() if table["domains"].get(name) != row}
        stale = [pair.name for pair in PAIRS.values() if any(domain_name(pair, role) in fresh for role in ROLES)]
        table["pairs"] = {name: row for name, row in table["pairs"].items() if name not in stale}
        table["domains"].update(scores)
        write_json(path, _ordered(table))
        finished = _finished(PAIRS.values(), table["domains"])
        for pair in tqdm([pair for pair in finished if pair.name not in table["pairs"]], unit="pair", disable=None):
            table["pairs"][pair.name] = {"source_expert": measure_transfer(pair, workplace).to_json()}
            write_json(path, _ordered(table))
    return table


def _ordered(table: Table) -> Table:
    return {part: dict(sorted(rows.items())) for part, rows in table.items()}


def _finished(pairs: Iterable[Pair], domains: Table) -> list[Pair]:
    """Return the pairs of one robot whose domains both have an expert."""
    return [
        pair
        for pair in pairs
        if pair.source_robot is None and all("expert" in domains.get(domain_name(pair, role), {}) for role in ROLES)
    ]
