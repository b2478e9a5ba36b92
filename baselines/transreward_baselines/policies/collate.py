"""Puts the scores of all domains and pairs into the table of reference returns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
    table: Table = json.loads(path.read_text()) if path.exists() else {"domains": {}, "pairs": {}}
    fresh = {file.stem: json.loads(file.read_text()) for file in sorted((workplace.runs / "scores").glob("*.json"))}
    table["domains"].update(fresh)
    for pair in _finished(PAIRS.values(), table["domains"]):
        stale = any(domain_name(pair, role) in fresh for role in ROLES)
        if pair.name not in table["pairs"] or stale:
            table["pairs"][pair.name] = {"source_expert": measure_transfer(pair, workplace).to_json()}
    table = {part: dict(sorted(rows.items())) for part, rows in table.items()}
    write_json(path, table)
    return table


def _finished(pairs: Iterable[Pair], domains: Table) -> list[Pair]:
    """Return the pairs of one robot whose domains both have an expert."""
    return [
        pair
        for pair in pairs
        if pair.source_robot is None and all("expert" in domains.get(domain_name(pair, role), {}) for role in ROLES)
    ]
