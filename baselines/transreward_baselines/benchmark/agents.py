"""The agents of a benchmark: the scripts of this package, and Stable-Baselines3's."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from transreward_baselines import dreamer, ppo, sac
from transreward_baselines.benchmark.job import Job
from transreward_baselines.config import LANES, AgentName, RunConfig
from transreward_baselines.evaluation import episode_returns
from transreward_baselines.lanes import make_lanes
from transreward_baselines.parts.player import LatentPolicy
from transreward_baselines.policies.scores import FINAL_SEED
from transreward_baselines.results import Evaluation, Result, read_results, read_rows
from transreward_baselines.run import POLICIES
from transreward_baselines.training_ids import evaluation_places
from transreward_baselines.tuned import tuned
from transreward_envs.pairs import Role
from transreward_envs.pairs.pair import NAMESPACE, VERSION
from transreward_wrappers.policies import GaussianPolicy, scale_actions

SCRIPTS: dict[str, Any] = {"ppo": ppo, "sac": sac, "dreamer": dreamer}
AGENTS: tuple[str, ...] = (*SCRIPTS, *get_args(AgentName))

UNKNOWN = (math.nan, math.nan)


def train(job: Job) -> None:
    """Train a run to its end, from its newest checkpoint if there is one."""
    if job.agent in SCRIPTS:
        SCRIPTS[job.agent].main(script_args(job))
    else:
        from transreward_baselines.train import train as train_sb3

        train_sb3(sb3_config(job), job.directory, report=lambda steps: None)


def script_args(job: Job) -> Any:
    """Return what a run's script is told."""
    script, budget = SCRIPTS[job.agent], job.budget
    settings = dict(budget.settings)
    if budget.target_budget is not None:
        settings["target_budget"] = budget.target_budget
    return script.Args(
        **tuned(script.TUNED, f"{NAMESPACE}/{job.pair.robot}-v{VERSION}"),
        env_id=job.pair.id(job.contender.suffix),
        settings=tuple(f"{name}={json.dumps(value)}" for name, value in settings.items()),
        total_steps=budget.steps,
        seed=job.seed,
        out=job.directory,
        eval_every=job.eval_every,
        eval_episodes=job.terms.eval_episodes,
        eval_both=True,
        checkpoint_every=job.eval_every,
        keep_policies=True,
        device="cpu",
        threads=1,
        quiet=True,
    )


def sb3_config(job: Job) -> RunConfig:
    """Return the configuration of a run with an agent of Stable-Baselines3."""
    budget = job.budget
    return RunConfig(
        pair=job.pair.name,
        method=job.contender.suffix,
        agent=job.agent,
        steps=budget.steps,
        seed=job.seed,
        n_envs=LANES[job.agent],
        target_budget=budget.target_budget,
        eval_every=job.eval_every,
        eval_episodes=job.terms.eval_episodes,
        settings={"threads": 1, **budget.settings},
        imports=job.imports,
    )


def final_returns(job: Job) -> dict[Role, NDArray[np.float64]]:
    """Return the returns of a run's last deterministic policy in each domain that it can act in, one an episode.

    The episodes are those that references are measured on, and none that a run is evaluated on before.
    """
    found: dict[Role, NDArray[np.float64]] = {}
    for role, (env_id, keywords) in evaluation_places(job.pair, job.contender.suffix, keywords_of(job)).items():
        envs = make_lanes(env_id, job.terms.final_episodes, threads=1, settings=keywords)
        found[role] = episode_returns(_last_policy(job, envs.single_action_space), envs, FINAL_SEED)
    return found


def keywords_of(job: Job) -> dict[str, Any]:
    """Return the keywords of the id that a run trains in."""
    if job.agent in SCRIPTS:
        keywords: dict[str, Any] = script_args(job).keywords()
        return keywords
    from transreward_baselines.sb3.agents import training_keywords

    return training_keywords(sb3_config(job))


def _last_policy(job: Job, space: Any) -> Any:
    """Return a run's newest policy, from raw observations to actions of a space."""
    if job.agent in SCRIPTS:
        newest = max((job.directory / POLICIES).glob("*.safetensors"))
        policy = LatentPolicy.load(newest).begin() if job.agent == "dreamer" else GaussianPolicy.load(newest)
        return lambda observations: scale_actions(policy(observations), space)
    from transreward_baselines.checkpoint import load_policy

    return load_policy(job.directory)[1]


def read_curve(directory: Path, agent: str) -> list[Result]:
    """Return a run's evaluations on the way, the oldest first; in the source, where another robot acts there, NaN."""
    if agent not in SCRIPTS:
        return read_results(directory)
    rows = read_rows(directory, Evaluation)
    sources = {row.step: (row.return_mean, row.return_std) for row in rows if row.domain == "source"}
    return [
        Result(
            step=target.step,
            source_steps=target.source_steps or 0,
            target_steps=target.target_steps or 0,
            target_return=target.return_mean,
            target_spread=target.return_std,
            source_return=sources.get(target.step, UNKNOWN)[0],
            source_spread=sources.get(target.step, UNKNOWN)[1],
            seconds=target.seconds,
        )
        for target in rows
        if target.domain == "target"
    ]
