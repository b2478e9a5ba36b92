"""``transreward benchmark --table dara``: what it can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from transreward_baselines.benchmark.dara.algorithms import ALGORITHMS
from transreward_baselines.benchmark.dara.cells import AMOUNTS, Amount, Cell, Run, find_cells, runs_of
from transreward_baselines.benchmark.dara.sets import Sets
from transreward_baselines.devices import DeviceName, require_device, torch_device
from transreward_envs.errors import require_count, require_non_negative, require_positive, unknown

Table = Literal["dara"]
TABLES: tuple[Table, ...] = get_args(Table)

FAILURES = "failures.txt"
"""File in a table's directory that tells when and why runs failed, the newest last, until all are done."""

ABREAST = {"cpu": 20, "cuda": 100}
"""Runs of a stacked call when nothing is said: more gain nothing on a core, and fill a GPU."""


@dataclass(frozen=True, kw_only=True)
class TableArgs:
    """What to make of the table.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown, or a number breaks its rule.
    """

    table: Table
    """`dara`, the table of Liu et al. 2022 (arXiv:2203.06662)."""

    cells: tuple[str, ...] = ("*",)
    """Pairs of suite `dara` and qualities, such as `Hopper-dara-mass/medium`, `Walker2d-dara-mass` or
    `*-mass/medium-*`; quote what has stars."""

    algorithms: tuple[str, ...] = tuple(ALGORITHMS)
    """By the names of their scripts."""

    amounts: tuple[Amount, ...] = AMOUNTS
    """Columns of the table."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Of networks, batches, noise and DARA's classifiers."""

    updates: int = 100_000
    """Gradient steps of every run."""

    finetune_share: float = 1.0
    """Gradient steps with target data of runs that learnt from source data for all updates before, as a share of
    these."""

    size: int | None = None
    """Transitions of 10T and of 10S; a million when left out. 1T has a tenth, an episode at least under each policy."""

    eta: float = 0.1
    """DARA's weight."""

    classifier_updates: int = 10_000
    """Gradient steps of DARA's classifiers."""

    batch_size: int = 256
    """Transitions of a gradient step, in each run."""

    hidden: int = 256
    """Width of the hidden layers of each network."""

    evaluations: int = 10
    """Evaluations of a run, each followed by a checkpoint; the last counts."""

    eval_episodes: int = 10
    """Episodes of an evaluation."""

    runs_at_once: int | None = None
    """Runs of a stacked call at most; 20 on a CPU and 100 on a GPU when left out."""

    out: Path = Path("runs/dara-table")
    """Directory of runs, tables and figures; the same command goes on where it was interrupted."""

    keep_runs: bool = True
    """Keep the folders of runs that are over, with their networks and, of `mopo` and `mabe`, what they imagined."""

    root: Path | None = None
    """Folder of all datasets; Minari's when left out."""

    device: DeviceName = "auto"
    """Of networks and data; `auto` is the GPU if there is one."""

    bfloat16: bool = False
    """Multiply matrices in bfloat16, where that is faster."""

    compile: bool = False
    """Compile the gradient step; pays on a GPU alone."""

    torch_threads: int = 1
    """Threads of PyTorch."""

    quiet: bool = False
    """Show no progress bar."""

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise ValueError(unknown("table", self.table, TABLES))
        require_device(self.device)
        for name, one, known in (("algorithms", "algorithm", ALGORITHMS), ("amounts", "amount", AMOUNTS)):
            for value in getattr(self, name):
                if value not in known:
                    raise ValueError(unknown(one, value, known))
        for name in ("cells", "algorithms", "amounts", "seeds"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
            if not getattr(self, name):
                raise ValueError(f"`{name}` must name one at least; got none.")
        cells = find_cells(self.cells)
        for seed in self.seeds:
            require_count("seeds", seed)
        counts = ["updates", "classifier_updates", "batch_size", "hidden", "evaluations", "eval_episodes"]
        counts += [name for name in ("size", "runs_at_once") if getattr(self, name) is not None]
        for name in (*counts, "torch_threads"):
            require_count(name, getattr(self, name), at_least=1)
        if self.size is not None:
            for cell in cells:
                self.sets(cell).require_size(self.amounts)
        require_non_negative("eta", self.eta)
        require_positive("finetune_share", self.finetune_share)

    def runs(self) -> list[Run]:
        """Return the runs that are asked for, in the order of the table."""
        return list(runs_of(find_cells(self.cells), self.algorithms, self.amounts, self.seeds))

    def sets(self, cell: Cell) -> Sets:
        """Return the datasets of a cell."""
        return Sets(cell=cell, size=self.size, eta=self.eta, classifier_updates=self.classifier_updates, root=self.root)

    @property
    def finetune_updates(self) -> int:
        """Gradient steps with target data of runs that learnt from source data before."""
        return max(round(self.finetune_share * self.updates), 1)

    @property
    def abreast(self) -> int:
        """Runs of a stacked call at most."""
        return self.runs_at_once or ABREAST[torch_device(self.device).type]


def make_table(args: TableArgs) -> None:
    """Make DARA's table again: offline algorithms on target data, and on source data with and without DARA's rewards.

    Args:
        args: What to make of it, and where.
    """
    from transreward_baselines.benchmark.dara.report import report
    from transreward_baselines.benchmark.dara.terms import claim
    from transreward_baselines.benchmark.dara.work import train_all
    from transreward_baselines.processes import terminated_like_interrupted

    claim(args.out, args)
    try:
        with terminated_like_interrupted():
            failed = train_all(args)
    finally:
        report(args.out)  # what is over by then is told, whatever ended the rest
    if failed:
        raise RuntimeError(
            f"{failed} of {len(args.runs())} runs failed; {args.out / FAILURES} says why. Run the same command again "
            "to try them again."
        )
