"""What a refinement tells the compensation and PPO."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from transreward_baselines import ppo
from transreward_baselines.lanes import sizes_of
from transreward_baselines.refine.args import RefineArgs
from transreward_baselines.settings import parse_settings
from transreward_baselines.tuned import tuned
from transreward_envs import get_pair
from transreward_envs.errors import unknown
from transreward_wrappers.bound import make_compensation
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.settings import REWARDS

LEAST_LOG_STD = -20.0
"""Less than that of any policy, so that one to start from keeps its own."""

VALUE_SHARE = 0.05
"""Share of a round that starts from a policy in which the value alone learns."""


def compensation(args: RefineArgs, state: Path | None = None) -> RewardTransfer:
    """Return the compensation, as it was saved if a file is given.

    Raises:
        ValueError: A keyword is unknown or breaks its rule, or the estimator has nothing to fit anew.
    """
    pair = get_pair(args.pair)
    gamma = told_ppo(args).get("gamma", ppo.Args.gamma)
    made = make_compensation(RewardTransfer, {"gamma": gamma, **parse_settings(args.set), "seed": args.seed})
    assert isinstance(made, RewardTransfer)
    if made.estimator not in REWARDS:
        raise ValueError(
            f"A refinement needs an estimator of the source's reward, {' or '.join(map(repr, REWARDS))}; got "
            f"{made.estimator!r}. Leave `estimator` out."
        )
    made.check(pair)
    made.bind(*sizes_of(pair.spec("target")))
    if state is not None:
        made.load(state)
    return made


def told_ppo(args: RefineArgs) -> dict[str, Any]:
    """Return the settings that were found for the robot, and those that the command line puts in their place."""
    return {**tuned(ppo.TUNED, get_pair(args.pair).id("reward-transfer")), **parse_settings(args.ppo)}


def ppo_args(args: RefineArgs, index: int, *, fitted: Path, start_from: Path | None) -> ppo.Args:
    """Return what PPO is told in a round, in which it never takes more target steps than ``args.steps``.

    Args:
        args: What is refined.
        index: Of the round.
        fitted: File of the compensation.
        start_from: Directory of the run whose agent goes on, or the file of a policy: that keeps its own noise, and the
            value alone learns at first, because it begins anew.

    Raises:
        ValueError: A setting is unknown or breaks its rule.
    """
    told = told_ppo(args)
    if start_from is not None and not start_from.is_dir():
        told |= {"log_std": LEAST_LOG_STD, "value_steps": int(VALUE_SHARE * args.steps)}
    keywords = {**parse_settings(args.set), "fitted": str(fitted.resolve()), "target_budget": args.steps}
    given: dict[str, Any] = {
        "env_id": get_pair(args.pair).id("reward-transfer"),
        "total_steps": args.steps,
        "seed": args.seed_of(index),
        "out": args.round_directory(index) / "ppo",
        "start_from": start_from,
        "settings": tuple(f"{name}={json.dumps(value)}" for name, value in keywords.items()),
        "eval_every": args.steps,
        "eval_episodes": args.eval_episodes,
        "checkpoint_every": max(args.steps // 4, 1),
        "threads": args.threads,
        "quiet": args.quiet,
        "keep_policies": True,
    }
    known = {field.name for field in dataclasses.fields(ppo.Args)} - set(given)
    for name in told:
        if name not in known:
            raise ValueError(unknown("setting of PPO", name, known))
    return ppo.Args(**told, **given)
