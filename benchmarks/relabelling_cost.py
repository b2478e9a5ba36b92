"""What a gradient step costs with rewards that are compensated when they are drawn, against frozen ones.

SAC of Stable-Baselines3 and `sac.py` learn on one thread from batches of 256 transitions of Hopper, under DARC with its
classifiers at work. The two kinds of buffer take turns; medians and quartiles over rounds, of CPU time, are printed.

    python -m benchmarks.relabelling_cost
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure

from transreward_baselines import sac
from transreward_baselines.run_args import make_env
from transreward_baselines.sb3 import compensated_replay, make_vec

ENV_ID = "TransReward/Hopper-friction-2.0-darc-v0"
WARM = {"warmup": 512, "fit_budget": 50, "time_limit": 50}
"""The classifiers are at work soon, and episodes as short as random actions make them elsewhere."""

FILL, BATCH = 20_000, 256
Step = Callable[[], object]


def sb3(relabel: bool) -> tuple[Step, Step]:
    """Return a gradient step of Stable-Baselines3's SAC, and the draw in it."""
    env = make_vec(ENV_ID, 8, seed=0, **WARM)
    replay = compensated_replay(env) if relabel else {}
    agent = SAC("MlpPolicy", env, learning_starts=FILL, buffer_size=FILL, seed=0, device="cpu", **replay)
    agent.set_logger(configure(format_strings=[]))
    agent.learn(FILL)
    assert env.get_attr("diagnostics")[0]["classifier_updates"] > 50, "the classifiers must be in use"
    buffer = agent.replay_buffer
    assert buffer is not None
    return lambda: agent.train(gradient_steps=1, batch_size=BATCH), lambda: buffer.sample(BATCH)


def own(relabel: bool) -> tuple[Step, Step]:
    """Return a gradient step of `sac.py`, and the draw in it."""
    args = sac.Args(
        env_id=ENV_ID,
        num_envs=8,
        total_steps=FILL,
        learning_starts=10 * FILL,
        relabel=relabel,
        device="cpu",
        settings=tuple(f"{name}={value}" for name, value in WARM.items()),
    )
    lanes = make_env(args)
    compensation = lanes.compensation if relabel else None
    agent = sac.SAC(args, lanes.observation_size, lanes.action_size, compensation)
    observations, generator = lanes.reset(0), np.random.default_rng(0)
    while agent.replay.size < FILL:
        _, _, observations = sac.learn(agent, lanes, observations, args, generator)

    def draw() -> sac.Batch:
        return agent.replay.sample(BATCH, agent.device)

    return lambda: sac.update(agent, draw(), args), draw


def seconds(step: Step, window: float) -> float:
    """Return the CPU time of a step [s], found over a window of it [s]."""
    start, count = time.process_time(), 0
    while (passed := time.process_time() - start) < window:
        step()
        count += 1
    return passed / count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--window", type=float, default=0.3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"CPU microseconds, median (quartiles) of {args.rounds} rounds; batches of {BATCH}", box=None)
    for column in ("agent", "what", "frozen", "relabelled", "more by", "share"):
        table.add_column(column, justify="left" if column in ("agent", "what") else "right")
    for name, make in {"SAC of Stable-Baselines3": sb3, "sac.py": own}.items():
        kinds = {relabel: make(relabel) for relabel in (False, True)}
        for what, index in {"gradient step": 0, "draw alone": 1}.items():
            rounds = [[seconds(kinds[kind][index], args.window) for kind in kinds] for _ in range(args.rounds + 1)]
            times = np.array(rounds[1:]) * 1e6
            low, more, high = np.percentile(times[:, 1] - times[:, 0], [25, 50, 75])
            frozen, relabelled = np.median(times, axis=0)
            cells = (
                f"{frozen:.0f}",
                f"{relabelled:.0f}",
                f"{more:.0f} ({low:.0f} - {high:.0f})",
                f"{more / frozen:.0%}",
            )
            table.add_row(name, what, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
