"""What compensation costs in lanes: steps a second with it, as a share of the same lanes without.

Contenders are timed by turns in one process; medians over rounds and quartiles are kept in the folder. DARC is compared
with the mixture, which has the same schedule, and reward transfer with lanes of the target. `networks frozen` stops
what learns; `learning` is as trained, at the default cadence of updates.

    python -m benchmarks.lanes_cost --lanes 64
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ["TQDM_DISABLE"] = "1"

import gymnasium as gym
import numpy as np

import transreward_envs
from benchmarks import machine, report
from benchmarks.tables import put
from transreward_baselines.script import errors_told

PAIRS = ("Hopper-friction-2.0", "HalfCheetah-broken-bthigh", "Ant-broken-hip_4")
SMALL_FIT = {"fit_budget": 2_000, "fit_updates": 100}
WARM = {"warmup": 2_000, "fit_budget": 50, "time_limit": 50}
"""DARC's classifiers are at work soon, and episodes as short as random actions make them elsewhere."""

FROZEN_LIMIT, LEARNING_LIMIT = 0.75, 0.5


class Contender:
    """Lanes that are stepped with random actions."""

    def __init__(self, name: str, without: str, envs: Any) -> None:
        self.name, self.without, self.rates = name, without, list[float]()
        self.envs = envs
        space = envs.single_action_space
        shape = (50, envs.num_envs, *space.shape)
        self._actions = np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)
        envs.reset(seed=0)
        for _ in range(4):
            self.run(0.0)
        self.rates.clear()

    def run(self, window: float) -> None:
        """Step for some time [s], and keep the steps a second."""
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < window:
            for actions in self._actions:
                self.envs.step(actions)
            count += len(self._actions) * self.envs.num_envs
        self.rates.append(count / (time.perf_counter() - start))


def contenders(name: str, lanes: int) -> list[Contender]:
    """Return the lanes to compare, warmed up."""
    pair = transreward_envs.get_pair(name)

    def make(method: str, **keywords: Any) -> Any:
        return gym.make_vec(pair.id(method), num_envs=lanes, **keywords)

    limit = {"time_limit": WARM["time_limit"]}
    frozen = Contender("darc, networks frozen", "mixture", make("darc", **WARM))
    assert frozen.envs.diagnostics["classifier_updates"] > 50, "the classifiers must be in use"
    frozen.envs.compensation.update = lambda batch: None
    transfer = make("reward-transfer", **SMALL_FIT, **limit)
    return [
        Contender("mixture", "mixture", make("mixture", **limit)),
        frozen,
        Contender("darc, learning", "mixture", make("darc", **WARM)),
        Contender("target", "target", make("target", max_episode_steps=WARM["time_limit"])),
        Contender("reward-transfer, networks frozen", "target", transfer),
    ]


def main() -> None:
    """Measure, and say whether the limits were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--window", type=float, default=0.3)
    parser.add_argument("--out", type=Path, default=report.OUT)
    args = parser.parse_args()
    machine.note(args.out)
    kept = True
    for name in PAIRS:
        running = contenders(name, args.lanes)
        for _ in range(args.rounds):
            for contender in running:
                contender.run(args.window)
        rates = {contender.name: np.array(contender.rates) for contender in running}
        for contender in running:
            low, share, high = np.percentile(rates[contender.name] / rates[contender.without], [25, 50, 75])
            row = {
                "pair": name,
                "lanes": args.lanes,
                "contender": contender.name,
                "steps a second": f"{np.median(contender.rates):,.0f}",
                "share of the same without (quartiles)": f"{share:.2f} ({low:.2f} - {high:.2f})",
            }
            put(args.out / "compensation.csv", row, key=("pair", "lanes", "contender"))
            print(*row.values(), sep="\t", flush=True)
            kept &= share >= (LEARNING_LIMIT if "learning" in contender.name else FROZEN_LIMIT)
    report.write(args.out)
    print(f"At least {FROZEN_LIMIT} frozen and {LEARNING_LIMIT} learning: {'yes' if kept else 'NO'}")


if __name__ == "__main__":
    with errors_told():
        main()
