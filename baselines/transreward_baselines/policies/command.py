"""``transreward policies train`` and ``transreward policies list``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table
from tqdm import tqdm

from transreward_baselines.console import console
from transreward_baselines.policies.recipes import SOURCES
from transreward_baselines.processes import Finished, run_jobs
from transreward_baselines.run_directory import require_folder
from transreward_envs import get_suite
from transreward_envs.errors import require_count, require_positive, unknown
from transreward_envs.pairs.domains import canonical, domains_of, robot_of
from transreward_envs.references import measured_returns
from transreward_wrappers.policies.shipped import policy_path


@dataclass(frozen=True, kw_only=True)
class TrainPolicies:
    """Which policies to train, and where.

    Raises:
        ValueError: A name is unknown, or nothing is named.
    """

    suite: tuple[str, ...] = ()
    """Suites whose domains are trained, such as `odrl dara`."""

    domains: tuple[str, ...] = ()
    """Further domains by name, such as `Hopper Hopper-mass-2.0-target`."""

    missing: bool = False
    """Leave out domains that have an expert and reference returns, those that ship or of TRANSREWARD_POLICIES."""

    runs: Path = Path("runs/policies")
    """Run directories and scores, from which the same command goes on after an interruption."""

    shelf: Path = Path("runs/policies/shelf")
    """Where policies are put; point TRANSREWARD_POLICIES at it to use them."""

    table: Path | None = None
    """Table of reference returns to write; `measured.json` beside the policies when left out."""

    workers: int = max(os.cpu_count() or 1, 1)
    """Domains at a time, each on one core."""

    seed: int = 1
    """Of all runs."""

    scale: float = 1.0
    """Of all numbers of steps; below 1 for a try."""

    def __post_init__(self) -> None:
        require_count("workers", self.workers, at_least=1)
        require_count("seed", self.seed)
        require_positive("scale", self.scale)
        object.__setattr__(self, "domains", tuple(canonical(domain) for domain in self.domains))
        if not (self.suite or self.domains):
            raise ValueError("Name what to train: `--suite odrl`, or `--domains Hopper Hopper-mass-2.0-target`.")

    def names(self) -> list[str]:
        """Return the domains, each after the plain robot that it starts from, unless that has an expert."""
        wanted = [*domains_of(pair for name in self.suite for pair in get_suite(name)), *self.domains]
        if self.missing:
            measured = measured_returns()["domains"]
            wanted = [name for name in wanted if not (name in measured and policy_path(name, "expert").exists())]
        robots = [robot_of(domain) for domain in wanted]
        for robot in robots:
            if robot not in SOURCES:
                raise ValueError(
                    f"There are recipes to train policies of {', '.join(SOURCES)}; {robot!r} has none. Train your own "
                    "by a script such as transreward_baselines.ppo, and give its file."
                )
        missing = [robot for robot in robots if not policy_path(robot, "expert").exists()]
        plain = [robot for robot in robots if robot in wanted]
        return list(dict.fromkeys([*missing, *plain, *wanted]))


def train(args: TrainPolicies) -> None:
    """Train policies of domains, several at a time, and write their reference returns.

    Args:
        args: Which, and where.
    """
    from transreward_baselines.policies.collate import collate
    from transreward_baselines.policies.train import Workplace, train_domain

    for folder in (args.runs, args.shelf):
        require_folder(folder)
    workplace = Workplace(runs=args.runs, shelf=args.shelf, seed=args.seed, scale=args.scale)
    names = args.names()
    left = [name for name in names if not workplace.scores(name).exists()]
    first = [name for name in left if name == robot_of(name)]
    print(f"{len(names)} domains, {len(names) - len(left)} of them done; {args.workers} at a time.")
    failed: list[str] = []
    with tqdm(total=len(left), unit="domain", disable=None) as bar:

        def tell(finished: Finished) -> None:
            if finished.error is not None:
                failed.append(finished.name)
                bar.write(f"{finished.name}: {finished.error}")
            bar.update()
            bar.set_postfix_str(finished.name)

        for stage in (first, [name for name in left if name not in first]):
            jobs = {name: (name, workplace) for name in stage}
            run_jobs(train_domain, jobs, workers=args.workers, tell=tell)
    path = args.table or args.shelf / "measured.json"
    if any(workplace.scores(name).exists() for name in names):
        collate(workplace, path)
        print(f"The policies are in {args.shelf}, the reference returns in {path}.")
    if failed:
        raise RuntimeError(f"{len(failed)} domains failed: {', '.join(failed)}. Run the same command again to resume.")


def list_policies(pattern: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="[PATTERN]")]] = "") -> None:
    """List the domains that have policies, and what these return.

    Args:
        pattern: Part of a domain's name.
    """
    rows = {name: row for name, row in measured_returns()["domains"].items() if pattern.lower() in name.lower()}
    if not rows:
        raise ValueError(unknown("domain with policies", pattern, measured_returns()["domains"]))
    table = Table(title=f"{len(rows)} domains: mean return of 100 episodes", box=None)
    for column in ("domain", "random", "medium", "expert", "95 % interval"):
        table.add_column(column, justify="left" if column == "domain" else "right")
    for name, row in rows.items():
        medium = f"{row['medium']['mean']:,.1f}" if "medium" in row else "-"
        interval = f"{row['expert']['low']:,.1f} - {row['expert']['high']:,.1f}"
        table.add_row(name, f"{row['random']['mean']:,.1f}", medium, f"{row['expert']['mean']:,.1f}", interval)
    console().print(table)


COMMANDS: dict[str, Any] = {"train": train, "list": list_policies}
