"""The rounds of a refinement, each from where the one before it ended, and all of it resumable.

A round trains PPO with the reward as it is paid now, lets the policy act in the target, asks the source what it would
have paid there, fits r_S* to all source transitions so far, and measures the gap between both rewards. The deviations
from which ``variance`` and ``similarity`` make lam stay as they are within a round, and are measured after it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from transreward_baselines import ppo
from transreward_baselines.refine.args import RefineArgs
from transreward_baselines.refine.convergence import Round, why_stop
from transreward_baselines.refine.figure import plot_rounds
from transreward_baselines.refine.told import compensation, ppo_args
from transreward_baselines.refine.visits import Visits, joined, visit
from transreward_baselines.results import Evaluation, read_rows, write_rows
from transreward_baselines.run import POLICIES
from transreward_baselines.run_directory import check_directory, checkpoints, read_settings
from transreward_envs import get_pair
from transreward_wrappers import Transitions
from transreward_wrappers.cache import fit_or_load
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.storage import write_bytes, write_json

MAY_CHANGE = ("rounds", "target_budget", "tolerance", "patience", "threads", "quiet", "out")
"""Settings that may differ when a refinement is resumed."""

COMPENSATION, POLICY = "compensation.safetensors", "policy.safetensors"


def refine(args: RefineArgs) -> tuple[list[Round], str]:
    """Do rounds until there is a reason to stop, from where the last command ended, and return them and the reason.

    Raises:
        RunDirectoryError: The directory belongs to another refinement, or holds other files.
    """
    compensation(args)  # refuses what is wrong before anything is written
    ppo_args(args, 0, fitted=Path(), start_from=args.start_from)
    settings: dict[str, Any] = json.loads(json.dumps({**dataclasses.asdict(args), "out": None}, default=str))
    check_directory(args.out, settings, may_change=MAY_CHANGE, read=read_settings)
    if not (args.out / "config.json").exists():
        write_json(args.out / "config.json", settings)
    with FileLock(args.out / ".lock"):
        rounds, refinement = read_rows(args.out, Round), Refinement(args)
        while (reason := why_stop(args, rounds)) is None:
            rounds.append(refinement.do(rounds))
            write_rows(args.out, rounds, Round)
            if not args.quiet:
                print(_line(rounds[-1]), flush=True)
        if rounds:
            plot_rounds(rounds, args.out / "rounds.png", title=f"{args.pair}: reward transfer, refined")
    return rounds, reason


class Refinement:
    """Does rounds, of which every stage that was done before is found on disk.

    Args:
        args: What to refine.
    """

    def __init__(self, args: RefineArgs) -> None:
        self._args, self._pair = args, get_pair(args.pair)

    def do(self, before: Sequence[Round]) -> Round:
        """Do the round after those that are done."""
        index = len(before)
        place = self._args.round_directory(index)
        last = self._train(index)
        state = checkpoints(place / "ppo")[-1] / COMPENSATION
        paying, target = compensation(self._args, state), self._visit(index).target
        told, fitted = paying.diagnostics(), self._refit(index, state)
        paid = target.reward + paying(target)
        return Round(
            round=index,
            target_steps=(before[-1].target_steps if before else 0) + last.step + self._args.collect,
            source_steps=fitted.fit_steps()["source"],
            gap=float(np.square(fitted.source_reward(target) - paid).mean()),
            weight=told["weight"],
            spread=told["spread"],
            coverage=told["coverage"],
            unexplained=fitted.diagnostics().get("unexplained", float("nan")),
            return_mean=last.return_mean,
            return_std=last.return_std,
            seconds=last.seconds,
        )

    def _train(self, index: int) -> Evaluation:
        """Train in the target as it is paid in this round, and return the last evaluation there."""
        args, fitted = self._args, self._args.round_directory(index) / COMPENSATION
        if index == 0 and not fitted.exists():
            first = compensation(self._args)
            fit_or_load(first, self._pair)
            first.save(fitted)
        start_from = args.start_from if index == 0 else args.round_directory(index - 1) / "ppo"
        told = ppo_args(args, index, fitted=fitted, start_from=start_from)
        _follow_a_move(told)
        rows = ppo.main(told)
        return next(row for row in reversed(rows) if row.domain == "target")

    def _visit(self, index: int) -> Visits:
        """Return what a round's policy met, and the source's answers."""
        path = self._args.round_directory(index) / "visits.safetensors"
        if not path.exists():
            policy = GaussianPolicy.load(self._policy_path(index))
            args = self._args
            visits = visit(self._pair, policy, steps=args.collect, seed=args.seed_of(index), quiet=args.quiet)
            visits.save(path)
        return Visits.load(path)

    def _refit(self, index: int, state: Path) -> RewardTransfer:
        """Fit to all source transitions so far, for the next round, and leave fit and policy where users look."""
        path = self._args.round_directory(index + 1) / COMPENSATION
        if not path.exists():
            fitted = compensation(self._args, state)
            visits = [self._visit(earlier) for earlier in range(index + 1)]
            fitted.begin_round(joined(self._source_data, *(one.source for one in visits)), visits[-1].target)
            fitted.save(path)
        (for_users := compensation(self._args, path)).forget_steps()
        for_users.save(self._args.out / COMPENSATION)
        write_bytes(self._args.out / POLICY, self._policy_path(index).read_bytes())
        return compensation(self._args, path)

    @cached_property
    def _source_data(self) -> Transitions:
        """The source data that the first fit had."""
        with closing(self._pair.make("source")) as source:
            return compensation(self._args).data().gather(source, self._pair)

    def _policy_path(self, index: int) -> Path:
        """Return the file of the policy that a round ended with."""
        return max((self._args.round_directory(index) / "ppo" / POLICIES).glob("*.safetensors"))


def _follow_a_move(told: ppo.Args) -> None:
    """Have a round that was begun know where its files are now: a refinement's directory may be renamed."""
    assert told.out is not None
    if (path := told.out / "config.json").exists():
        now = {"start_from": told.start_from and str(told.start_from), "settings": list(told.settings)}
        write_json(path, {**read_settings(told.out), **now})


def _line(one: Round) -> str:
    return (
        f"round {one.round}: gap {one.gap:.4g}, return {one.return_mean:.0f} +- {one.return_std:.0f} in the target, "
        f"weight {one.weight:.2f}, coverage {one.coverage:.2f}, {one.target_steps:,} target steps"
    )
