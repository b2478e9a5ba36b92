"""How far estimates of a policy's value in the target are off, against Monte-Carlo rollouts there.

From source episodes of one policy and a tenth as many of the target, the value of another, less noisy one is estimated
at the target's starts: by V alone, fitted Q evaluation (Le et al., 2019, arXiv:1903.08738), importance sampling alone,
as it is and with weights that are normalised, the direct doubly robust form with unit ratios of dynamics, and DRaE's
residual form with every kind of ratio and several clips, as it is and with weights that are normalised (Thomas and
Brunskill, 2016, arXiv:1604.00923). V and Q are good, or poor, with a fifth of the gradient steps. Of a horizon,
episodes are cut there, and V stands for the rest; importance sampling, which has no V, is over whole episodes at any.
Values are discounted, over an episode's time limit.

    python -m studies.drae_error --seeds 1 2 3 4 5 --out runs/drae-error

V and Q learn with DRaE's usual ratio of dynamics, and ratios of policies up to 5, whatever an estimate then has. A
second table divides the mean squared error of DRaE as it is by default by that of each rival, of which the ratio and
clips that have come out best in that very case are taken. A third divides that of each estimator by V's, over all
cases. Rows are written as they come, those of a pair, a seed and a quality of values at a time; the command goes on
where it was interrupted, and the tables are of all rows. Several such commands, for other seeds or pairs, may fill one
directory at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from rich.console import Console

from studies.claim import claim
from studies.drae_episodes import GAMMA, dataset_of, policies, truth_of
from studies.drae_error_figure import draw
from studies.drae_error_tables import (
    NORMALISED,
    QUALITIES,
    RATIOS,
    Errors,
    Row,
    errors_table,
    kinds_table,
    ratios_table,
    summary,
)
from studies.fitted_q import FittedQ
from studies.importance_sampling import corrected, sampled
from transreward_baselines.results import read_table, write_table
from transreward_baselines.script import errors_told
from transreward_baselines.settings import parse_settings
from transreward_envs import Pair, get_pair
from transreward_envs.errors import require_count
from transreward_wrappers.bound import make_compensation
from transreward_wrappers.compensation import Transitions
from transreward_wrappers.darc.classified import features_of
from transreward_wrappers.datasets import Dataset
from transreward_wrappers.drae import (
    DRaE,
    DynamicsRatio,
    RatioKind,
    Trajectories,
    direct,
    dynamics_ratio,
    residual,
    weight,
)
from transreward_wrappers.drae.offline import PolicyRatio, fit

PAIRS = ("Hopper-mass-2.0", "Hopper-friction-2.0", "HalfCheetah-mass-2.0", "HalfCheetah-friction-2.0")
KINDS: tuple[RatioKind, ...] = (*RATIOS, "slide")

CLIPS = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (5.0, 5.0))
"""Largest ratios of dynamics and of policies; the second is what DRaE has by default."""

SIZES: dict[str, Any] = {"gamma": GAMMA, "batch_size": 256, "fit_decay": True}
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command was told."""

    episodes: int
    rollouts: int
    updates: int
    horizons: tuple[int, ...]
    changes: tuple[str, ...]
    """Settings of DRaE, such as ``input_noise=1.0``."""

    out: Path


def estimates(
    drae: DRaE, source: Dataset, logs: Array, first_values: Array, horizon: int
) -> Iterator[tuple[str, tuple[float, float], Array]]:
    """Yield estimator, clips, and the estimate of each episode."""
    flat = source.transitions()
    starts = np.flatnonzero(np.diff(flat.episode, prepend=-1))
    position = np.arange(len(flat)) - starts[flat.episode]
    kept = position < horizon
    batch = flat.as_transitions(0).select(kept)
    ends = (position[kept] == horizon - 1) | (flat.terminated | flat.truncated)[kept]
    steps = Trajectories(
        reward=batch.reward,
        value=drae.state_value(batch.observation),
        next_value=drae.state_value(batch.next_observation),
        terminated=batch.terminated,
        ends=ends,
    )
    all_log_ratios = drae.learner.classifiers.log_ratios(features_of(flat.as_transitions(0)))
    log_ratios = all_log_ratios[:, kept]
    first, q = position[kept] == 0, drae.action_value(batch)
    yield "V", (0.0, 0.0), steps.value[first]
    yield "fitted Q", (0.0, 0.0), first_values
    over = flat.terminated | flat.truncated
    for clips in CLIPS:
        clip, policy_clip = clips
        for kind in RATIOS:
            weights = weight(logs, clip=policy_clip) * dynamics_ratio(all_log_ratios, kind, clip=clip).low
            for name, normalised in (("", False), (NORMALISED, True)):
                found = sampled(flat.rewards, weights, over, gamma=GAMMA, normalised=normalised)
                yield f"importance sampling, {kind}{name}", clips, found
        given = {"gamma": GAMMA, "policy_weight": weight(logs[kept], clip=policy_clip)}
        ratios = {kind: dynamics_ratio(log_ratios, kind, clip=clip) for kind in KINDS}
        yield "direct, unit ratios", clips, _guarded(steps, q, form=direct, ratio=ratios["one"], **given)[first]
        for kind in KINDS:
            yield f"DRaE, {kind}", clips, _guarded(steps, q, ratio=ratios[kind], **given)[first]
        for kind in RATIOS:
            weights = given["policy_weight"] * ratios[kind].low
            yield f"DRaE, {kind}{NORMALISED}", clips, corrected(steps, q, weights, gamma=GAMMA, normalised=True)


def _guarded(
    steps: Trajectories, baseline: Array, *, ratio: DynamicsRatio, form: Any = residual, **given: Any
) -> Array:
    """Return an estimate; NaN for all, where weights have multiplied beyond all numbers."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            estimate: Array = form(steps, baseline, ratio=ratio, **given)
    except ValueError:
        return np.full(len(steps), np.nan)
    return estimate


def sizes_of(quality: str) -> dict[str, Any]:
    """Return the usual settings of DRaE."""
    return {**SIZES, "value_updates": QUALITIES[quality]}


def run(pair: Pair, seed: int, quality: str, settings: Settings) -> Iterator[Row]:
    """Yield the rows of one pair, seed and quality of values."""
    truth, truth_error = truth_of(pair, settings.rollouts, settings.out)
    source = dataset_of(pair, "source", settings.episodes, seed, settings.out)
    target = dataset_of(pair, "target", max(settings.episodes // 10, 1), 1_000 + seed, settings.out)
    policy = policies(pair)["policy"]
    ratio = PolicyRatio(policy=policy, clip=5.0)
    told = {**parse_settings(settings.changes), "seed": seed}
    drae = fit(source, target, updates=settings.updates, ratio=ratio, settings={**sizes_of(quality), **told})
    parts = [data.transitions().as_transitions(0) for data in (source, target)]
    names = [field.name for field in fields(Transitions)]
    both = Transitions(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    space = drae_space(source)
    steps = settings.updates * QUALITIES[quality]
    fitted = FittedQ(both, policy, space, gamma=GAMMA, updates=steps, seed=seed)
    logs = ratio.logs(source)
    assert logs is not None, "there is a policy"
    flat = source.transitions()
    first_values = fitted(flat.observations[np.flatnonzero(np.diff(flat.episode, prepend=-1))])
    for horizon in settings.horizons:
        for estimator, (clip, policy_clip), found in estimates(drae, source, logs, first_values, horizon):
            yield Row(
                pair=pair.name,
                seed=seed,
                settings=" ".join(settings.changes),
                quality=quality,
                horizon=horizon,
                estimator=estimator,
                clip=clip,
                policy_clip=policy_clip,
                estimate=float(found.mean()),
                spread=float(found.std()),
                truth=truth,
                truth_error=truth_error,
                episodes=len(found),
            )


def drae_space(dataset: Dataset) -> Box:
    """Return a dataset's space of actions."""
    from minari.serialization import deserialize_space

    space = deserialize_space(dataset.metadata["action_space"])
    assert isinstance(space, Box)
    return space


def main(words: Sequence[str] | None = None) -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--horizons", nargs="+", type=int, default=[10, 100, 1_000])
    parser.add_argument("--episodes", type=int, default=100, help="of the source; a tenth as many of the target")
    parser.add_argument("--rollouts", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=4_000, help="of the classifiers, and of poor values")
    parser.add_argument("--set", nargs="+", default=[], help="settings of DRaE, such as input_noise=1.0")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    for name, value in (("episodes", given.episodes), ("rollouts", given.rollouts), ("updates", given.updates)):
        require_count(name, value, at_least=1)
    for horizon in given.horizons:
        require_count("horizons", horizon, at_least=1)
    for seed in given.seeds:
        require_count("seeds", seed)
    changes = tuple(sorted(given.set))
    require_settings(parse_settings(changes))
    pairs = [get_pair(name) for name in given.pairs]
    sizes = {name: vars(given)[name] for name in ("episodes", "rollouts", "updates", "horizons")}
    claim(given.out, sizes)
    settings = Settings(**{**sizes, "horizons": tuple(given.horizons)}, changes=changes, out=given.out)
    directory = given.out / "rows" / "_".join(changes)
    for seed in given.seeds:  # seed by seed, so that an unfinished experiment has a bit of everything
        for pair in pairs:
            for quality in QUALITIES:
                path = directory / f"{pair.name}-{seed}-{quality}.csv"
                if not path.exists():
                    write_table(path, list(run(pair, seed, quality, settings)), Row)
                    print(f"{pair.name}, seed {seed}, {quality} values: done", flush=True)
    rows = [row for path in sorted((given.out / "rows").rglob("*.csv")) for row in read_table(path, Row)]
    write_table(given.out / "errors.csv", rows, Row)
    found, console = list(summary(rows)), Console(width=200)
    write_table(given.out / "summary.csv", found, Errors)
    console.print(errors_table(found))
    console.print(ratios_table(rows))
    console.print(kinds_table(rows))
    draw(found, given.out / "errors.png")


def require_settings(settings: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if these are no settings of DRaE, or ones that the study sets itself."""
    if taken := sorted(settings.keys() & {"seed", *sizes_of("good")}):
        raise ValueError(f"`--set` takes settings of DRaE that the study does not set itself; got {', '.join(taken)}.")
    make_compensation(DRaE, {**sizes_of("good"), **settings})


if __name__ == "__main__":
    with errors_told():
        main()
