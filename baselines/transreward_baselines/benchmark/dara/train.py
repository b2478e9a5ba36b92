"""Trains the runs of a group, and tells what their last policies came to."""

from __future__ import annotations

import gc
from math import ceil
from pathlib import Path
from typing import Any

import torch

from transreward_baselines.benchmark.dara.algorithms import load_algorithm
from transreward_baselines.benchmark.dara.cells import Cell
from transreward_baselines.benchmark.dara.command import TableArgs
from transreward_baselines.benchmark.dara.groups import Group
from transreward_baselines.benchmark.dara.rows import Row
from transreward_baselines.offline.evaluation import OfflineEvaluation


def train(group: Group, args: TableArgs, directory: Path) -> list[Row]:
    """Build the datasets of a group's runs, train these in one stacked call, and return a row a run.

    Args:
        group: The runs.
        args: On which terms.
        directory: Their folder; they go on from the checkpoints in it.

    Raises:
        ValueError: A dataset cannot be built, or is not what is needed.
        DatasetError: A dataset that is there is damaged, or another one.
        MemoryError: The runs' data take more memory than there is.
        RunDirectoryError: A checkpoint cannot be read.
    """
    sets = [(args.sets(Cell(group.pair, quality)), amount) for quality, amount in group.entries]
    for of_cell, amount in sets:
        of_cell.build(amount, group.seeds)
    script = load_algorithm(group.algorithm)
    settings, spent = _settings(group, args), 0.0
    updates = args.updates
    if group.fine_tuned:
        before = directory / "source"
        data = tuple(of_cell.source.id for of_cell, _ in sets)
        spent = _last(script, settings, data=data, updates=updates, evaluations=args.evaluations, out=before)[0].seconds
        settings["start"] = before
        updates = args.finetune_updates
    data = tuple(of_cell.data(amount) for of_cell, amount in sets)
    out = directory / "target"
    last = _last(script, settings, data=data, updates=updates, evaluations=args.evaluations, out=out)
    total = updates + (args.updates if group.fine_tuned else 0)
    return [
        Row(
            pair=run.cell.pair,
            quality=run.cell.quality,
            algorithm=run.algorithm,
            amount=run.amount,
            seed=run.seed,
            updates=total,
            score=evaluation.score,
            return_mean=evaluation.return_mean,
            return_std=evaluation.return_std,
            episodes=evaluation.episodes,
            seconds=spent + evaluation.seconds,
            runs=len(group.runs),
        )
        for run, evaluation in zip(group.runs, last, strict=True)
    ]


def _settings(group: Group, args: TableArgs) -> dict[str, Any]:
    """Return what a script is told in both stages."""
    names = ("batch_size", "hidden", "eval_episodes", "root", "device", "bfloat16", "compile", "torch_threads", "quiet")
    return {"pair": group.pair, "seeds": group.seeds, "tell": False, **{name: getattr(args, name) for name in names}}


def _last(
    script: Any, settings: dict[str, Any], *, updates: int, evaluations: int, **more: Any
) -> list[OfflineEvaluation]:
    """Train, and return the last evaluation of each run."""
    _free_memory()
    every = ceil(updates / evaluations)
    rows = script.main(script.Args(updates=updates, eval_every=every, **settings, **more))
    return [row for row in rows if row.update == updates]


def _free_memory() -> None:
    """Give back what the runs before had on the GPU: it would count as taken."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
