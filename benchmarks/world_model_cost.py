"""What world models cost: a fit from shipped policies' episodes, what it errs by, and a search in it.

    python -m benchmarks.world_model_cost

The ensemble of the default settings is fitted to episodes of random actions, of the plain robot's medium policy and of
its expert. Errors are open loop on held-out episodes of each kind, as a share of predicting no change. A search scores
by DTW with 50 steps of an episode of the expert, as `-dtw-v0` ids do. One thread.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
import warnings

import gymnasium as gym
import numpy as np
import torch

import transreward_envs
from transreward_wrappers.alignment import Reference, dtw_totals
from transreward_wrappers.dtw.labels import SLACK
from transreward_wrappers.policies import UniformPolicy, load_policy
from transreward_wrappers.world_models import USABLE, EpisodeStore, PlanSettings, collect, make_world_model, plan
from transreward_wrappers.world_models.model import AnyModel

FIT_LIMIT, PLAN_LIMIT = 180.0, 0.25
"""Of a fit, its data included, and of a search [s]."""


def episodes(robot: str, steps: int) -> tuple[EpisodeStore, Reference]:
    """Return as many steps of each kind of the robot's policies, and a piece of the expert's to be followed."""
    envs = gym.make_vec(f"TransReward/{robot}-v0", num_envs=16, threads=1)
    observations, actions = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    store = EpisodeStore(observations, actions)
    behaviours = {"random": UniformPolicy(action_size=actions)}
    behaviours |= {level: load_policy(robot, "source", level) for level in ("medium", "expert")}
    found = {kind: collect(envs, policy, steps, seed=index) for index, (kind, policy) in enumerate(behaviours.items())}
    for kind, of_kind in found.items():
        store.add(of_kind, kind=kind)
    envs.close()
    longest = Reference.from_episode(max(found["expert"], key=len))
    return store, longest.part(0, SLACK * PlanSettings().horizon)


def fit(robot: str, steps: int, seed: int) -> tuple[AnyModel, Reference]:
    """Print what a fit costs and errs by, and return the model, and what a search in it is to follow."""
    wall, cpu = time.perf_counter(), time.process_time()
    store, reference = episodes(robot, steps)
    model = make_world_model("ensemble", store.observation_size, store.action_size, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = model.fit(store)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    poor = ", ".join(f"{kind} {ratio:.3f}" for kind, ratio in report.poor_kinds(25).items()) or "none"
    late = "" if wall <= FIT_LIMIT else ", BROKEN"
    print(
        f"\n{robot}, seed {seed}: {len(store):,} steps, {wall:.0f} s, {cpu:.0f} s of CPU (limit {FIT_LIMIT:.0f}{late})"
    )
    print(f"{report}\nkinds not below {USABLE} at 25 steps: {poor}", flush=True)
    return model, reference


def searches(model: AnyModel, reference: Reference, rounds: int, *, drafted: bool) -> np.ndarray:
    """Return the CPU times of searches of 6 iterations, 500 candidates and 25 steps [s]."""

    def score(observations: torch.Tensor) -> torch.Tensor:
        return -dtw_totals(observations, reference, open_end=True)

    state = model.infer(torch.zeros(1, 1, model.observation_size))
    settings, times = PlanSettings(drafted=drafted), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index in range(rounds + 1):
            start = time.process_time()
            generator = torch.Generator().manual_seed(index)
            plan(model, state, score, generator=generator, settings=settings)
            times.append(time.process_time() - start)
    return np.array(times[1:])


def main() -> None:
    """Print fits and searches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robots", nargs="+", default=["HalfCheetah", "Hopper"])
    parser.add_argument("--steps", type=int, default=20_000, help="of each kind of data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args()
    gym.register_envs(transreward_envs)
    torch.set_num_threads(1)
    for robot in args.robots:
        for seed in args.seeds:
            model, reference = fit(robot, args.steps, seed)
        for drafted in (True, False):
            low, middle, high = np.percentile(searches(model, reference, args.rounds, drafted=drafted), [25, 50, 75])
            how = "drafts first, 60 in full (the default)" if drafted else "all 500 in full"
            late = "" if middle <= PLAN_LIMIT else ", BROKEN"
            print(f"a search, {how}: {middle:.3f} s ({low:.3f} - {high:.3f}; limit {PLAN_LIMIT}{late})", flush=True)


if __name__ == "__main__":
    main()
