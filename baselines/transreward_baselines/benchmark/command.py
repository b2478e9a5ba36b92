"""``transreward benchmark``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from transreward_envs.errors import require_count

FAILURES = "failures.txt"
"""File in a benchmark's directory that tells why runs of the last command failed."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkArgs:
    """What to run.

    Raises:
        TypeError: A number is no integer.
        ValueError: A number breaks its rule, or nothing is named to train in.
    """

    suite: tuple[str, ...] = ()
    """Suites, whose pairs are all trained in; those across robots only if every method acts in the target alone."""

    pairs: tuple[str, ...] = ()
    """Further pairs by name."""

    sweep: tuple[str, str] | None = None
    """A shift, and its lowest and highest value and how many, such as `mass 0.5:3:11`."""

    robots: tuple[str, ...] = ()
    """Robots that `sweep` shifts."""

    methods: tuple[str, ...] = ("source", "target", "mixture", "darc")
    """`source`, `target`, `target-10x` (ten times the target steps), `mixture`, or a method, each with settings if
    need be: `darc:eta=0.1,clip=5`."""

    agents: tuple[str, ...] = ("ppo",)
    """`ppo`, `sac`, `dreamer`, `sb3-ppo`, `sb3-sac`."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each contender."""

    source_steps: int = 1_000_000
    """Steps in the source, for every contender that acts or fits there."""

    target_steps: int = 100_000
    """Steps in the target, for every contender that acts or fits there."""

    evaluations: int = 20
    """Evaluations of a run on the way."""

    eval_episodes: int = 10
    """Episodes of an evaluation on the way, in each domain."""

    final_episodes: int = 30
    """Episodes of the last evaluation, which is the one that counts, in each domain."""

    workers: int = max(os.cpu_count() or 1, 1)
    """Runs at a time, each on one core."""

    imports: tuple[str, ...] = ()
    """Modules, found from here, that register pairs or compensations of your own."""

    out: Path = Path("runs/benchmark")
    """Directory of runs, tables and figures; the same command goes on where it was interrupted."""

    def __post_init__(self) -> None:
        require_count("workers", self.workers, at_least=1)
        for seed in self.seeds:
            require_count("seeds", seed)
        for name in ("methods", "agents", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"`{name}` must name at least one.")
        if not (self.suite or self.pairs or self.sweep):
            raise ValueError(
                "Name what to train in: `--suite darc`, `--pairs Hopper-mass-2.0`, or `--sweep mass 0.5:3:11 --robots "
                "Hopper`."
            )
        if (self.sweep is None) != (not self.robots):
            raise ValueError("`sweep` and `robots` go together: `--sweep mass 0.5:3:11 --robots Hopper`.")


def benchmark(args: BenchmarkArgs) -> None:
    """Train contenders on equal terms, several runs at a time, and compare what their last policies return.

    `--table dara` makes DARA's table of offline algorithms instead, and has settings of its own: `--table dara --help`.

    Args:
        args: Which, and where.
    """
    from transreward_baselines.benchmark.choose import make_plan
    from transreward_baselines.benchmark.execute import train_all
    from transreward_baselines.benchmark.plan import claim
    from transreward_baselines.benchmark.report import report
    from transreward_baselines.benchmark.table import finished
    from transreward_baselines.processes import terminated_like_interrupted

    plan = make_plan(args)
    claim(args.out, plan)
    jobs = list(plan.jobs(args.out))
    try:
        with terminated_like_interrupted():
            failed = train_all(jobs, workers=args.workers, failures=args.out / FAILURES, told=finished(args.out))
    finally:
        report(args.out)  # what is over by then is told, whatever ended the rest
    if failed:
        raise RuntimeError(
            f"{failed} of {len(jobs)} runs failed; {args.out / FAILURES} says why. Run the same command again to try "
            "them again."
        )
