"""Steps a second of Stable-Baselines3's PPO, its learning included: on lanes, and on worker processes.

The same agent (rollouts of 2,048 steps, minibatches of 256, 10 epochs: what `transreward train` has on HalfCheetah)
learns on 64 of our lanes and on `SubprocVecEnv` of Gymnasium's own environments, with several numbers of workers of
which the best counts. Contenders learn by turns; medians and quartiles over rounds are put into the folder.

    python -m benchmarks.sb3_speed --robots Hopper HalfCheetah
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecNormalize

from benchmarks import machine, report
from benchmarks.tables import put
from transreward_baselines.sb3.lanes import make_vec
from transreward_baselines.sb3.settings import ROLLOUT, agent_settings
from transreward_baselines.script import errors_told

LEARNER = "HalfCheetah"
"""Robot whose settings the agent has, on all robots."""


def agent_on(envs: VecEnv) -> BaseAlgorithm:
    """Return the agent, on these environments."""
    settings = agent_settings("sb3-ppo", LEARNER)
    normalised = VecNormalize(envs, gamma=settings["gamma"])
    return PPO("MlpPolicy", normalised, seed=0, n_steps=ROLLOUT // envs.num_envs, device="cpu", **settings)


def contenders(robot: str, lanes: int, workers: list[int]) -> dict[str, BaseAlgorithm]:
    """Return the agents, each on environments of its own, after a first rollout."""
    agents = {f"{lanes} lanes": agent_on(make_vec(f"TransReward/{robot}-v0", lanes, seed=0, reports=False))}
    for count in workers:
        envs = make_vec_env(lambda: gym.make(f"{robot}-v5"), count, seed=0, vec_env_cls=SubprocVecEnv)
        agents[f"{count} workers"] = agent_on(envs)
    for agent in agents.values():
        agent.learn(ROLLOUT)
    return agents


def main() -> None:
    """Measure a robot after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robots", nargs="+", default=["Hopper", "HalfCheetah", "Ant"])
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--torch-threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=report.OUT)
    args = parser.parse_args()
    machine.note(args.out)
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.torch_threads)
    for robot in args.robots:
        agents = contenders(robot, args.lanes, args.workers)
        rates: dict[str, list[float]] = {name: [] for name in agents}
        for _ in range(args.rounds):
            for name, agent in agents.items():
                start = time.perf_counter()
                agent.learn(args.rollouts * ROLLOUT, reset_num_timesteps=False)
                rates[name].append(args.rollouts * ROLLOUT / (time.perf_counter() - start))
        ours = np.array(rates[f"{args.lanes} lanes"])
        best = max((name for name in rates if "workers" in name), key=lambda name: float(np.median(rates[name])))
        for name, values in rates.items():
            wall, ratio = (np.percentile(one, [25, 50, 75]) for one in (values, ours / np.array(values)))
            row = {
                "robot": robot,
                "environments": name,
                "best workers": "yes" if name == best else "",
                "steps a second (quartiles)": f"{wall[1]:,.0f} ({wall[0]:,.0f} - {wall[2]:,.0f})",
                "lanes are faster by (quartiles)": f"{ratio[1]:.2f} ({ratio[0]:.2f} - {ratio[2]:.2f})",
            }
            put(args.out / "sb3.csv", row, key=("robot", "environments"))
            print(*row.values(), sep="\t", flush=True)
        for agent in agents.values():
            assert agent.env is not None
            agent.env.close()
    report.write(args.out)


if __name__ == "__main__":
    with errors_told():
        main()
