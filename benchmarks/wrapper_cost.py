"""What a training id costs at a step, beyond the environment's own step (B = 1).

Contenders are timed by turns in one process on one thread; the median over rounds and the quartiles are printed. `own`
is the same domain with Gymnasium's time limit. `without learning` freezes what learns; `learning` is as trained, with
the amortised cost of its updates.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import time
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import transreward_envs

ROBOT_PAIRS = ("Hopper-friction-2.0", "HalfCheetah-broken-bthigh", "Ant-broken-hip_4")
ROUNDS, STEPS = 15, 1_000
LIMIT = 150.0
SMALL_FIT = {"fit_budget": 2_000, "fit_updates": 100}
DARC = {"warmup": 512, "fit_budget": 10, "target_ratio": 0.3, "time_limit": 100}


class Contender:
    """An environment that is stepped with random actions."""

    def __init__(self, name: str, env: gym.Env[Any, Any]) -> None:
        self.name, self.seconds = name, list[float]()
        self._env = env
        generator = np.random.default_rng(0)
        low, high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
        self._actions = generator.uniform(low, high, (STEPS, len(low))).astype(np.float32)
        env.reset(seed=0)
        self.run()
        self.seconds.clear()

    def run(self) -> None:
        """Take the steps, and keep the time of one."""
        start = time.perf_counter()
        for action in self._actions:
            _, _, terminated, truncated, _ = self._env.step(action)
            if terminated or truncated:
                self._env.reset()
        self.seconds.append((time.perf_counter() - start) / STEPS)


def contenders(pair: transreward_envs.Pair) -> list[Contender]:
    """Return the environments to compare, warmed up."""

    def make(method: str, **kwargs: Any) -> gym.Env[Any, Any]:
        return gym.make(pair.id(method), disable_env_checker=True, **kwargs)

    frozen = make("darc", **DARC)
    frozen_contender = Contender("darc, without learning", frozen)
    assert frozen.get_wrapper_attr("diagnostics")["classifier_updates"] > 10, "the classifiers must be in use"
    frozen.get_wrapper_attr("compensation").update = lambda batch: None
    return [
        Contender("own", pair.make("source", disable_env_checker=True)),
        Contender("mixture", make("mixture")),
        Contender("reward-transfer, without learning", make("reward-transfer", **SMALL_FIT)),
        frozen_contender,
        Contender("darc, learning", make("darc", **DARC)),
    ]


def main() -> None:
    """Print the table, and whether the limit was kept."""
    torch.set_num_threads(1)
    table = Table(title=f"microseconds a step, median of {ROUNDS} rounds of {STEPS} steps", box=None)
    for column in ("pair", "contender", "step", "beyond own (quartiles)"):
        table.add_column(column, justify="left" if column in ("pair", "contender") else "right")
    kept = True
    for name in ROBOT_PAIRS:
        running = contenders(transreward_envs.get_pair(name))
        for _ in range(ROUNDS):
            for contender in running:
                contender.run()
        own = np.array(running[0].seconds) * 1e6
        for contender in running:
            times = np.array(contender.seconds) * 1e6
            low, median, high = np.percentile(times - own, [25, 50, 75])
            table.add_row(name, contender.name, f"{np.median(times):.0f}", f"{median:.0f} ({low:.0f} - {high:.0f})")
            kept &= "without" not in contender.name or median < LIMIT
    Console(width=120).print(table)
    print(f"Each compensation under {LIMIT:.0f} microseconds beyond the env's own step: {'yes' if kept else 'NO'}")


if __name__ == "__main__":
    main()
