"""Trains the policies of domains: plain robots from scratch, shifted ones from their robot's expert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from filelock import FileLock

import transreward_envs
from transreward_baselines import ppo, sac
from transreward_baselines.lanes import sizes_of
from transreward_baselines.policies.between import shape
from transreward_baselines.policies.choose import (
    KEPT,
    MEDIUM,
    Candidate,
    Chosen,
    calm,
    choose_expert,
    choose_medium,
    choose_snapshots,
    final,
    share,
)
from transreward_baselines.policies.recipes import (
    ATTEMPTS,
    DEFAULT_ATTEMPTS,
    EVALUATIONS,
    OF_REWARDS,
    SAC_SOURCES,
    SOURCES,
    TARGETS,
    Attempt,
)
from transreward_baselines.policies.scores import (
    FINAL_SEED,
    ROUGH_EPISODES,
    Score,
    score,
    score_drawn,
    score_random,
    spec_of,
)
from transreward_baselines.policies.student import teach
from transreward_baselines.run import POLICIES
from transreward_baselines.tuned import tuned
from transreward_baselines.versions import versions
from transreward_envs.pairs.domains import domain_name, find_domain, own_reward, robot_of
from transreward_envs.shifts.base import RewardShift
from transreward_wrappers.policies import GaussianPolicy, for_sizes, load_domain_policy
from transreward_wrappers.policies.shipped import policies_root, policy_path, snapshot_paths
from transreward_wrappers.storage import write_json

Json = dict[str, Any]

SENSIBLE = 1.0 / 3.0
"""Share of the plain robot's return over random actions below which an expert is shipped with a remark."""


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where training goes on, and where what comes of it is put."""

    runs: Path
    """Run directories, from which an interrupted training is resumed."""

    shelf: Path
    """Policies and scores, as they are shipped."""

    seed: int = 1
    """Of all runs."""

    scale: float = 1.0
    """Of all numbers of steps; below 1 for a try."""

    def source(self, robot: str) -> Path:
        """Return where the plain robot's policies are: those of this workplace, or else those of the package."""
        return self.shelf if policy_path(robot, "expert", self.shelf).exists() else policies_root()

    def scores(self, domain: str) -> Path:
        """Return the file that says that a domain is done, and what its policies score."""
        return self.runs / "scores" / f"{domain}.json"


def train_domain(domain: str, workplace: Workplace) -> None:
    """Train a domain's policies and measure them, unless that is done; what was begun is resumed.

    Raises:
        ValueError: Its robot has no expert yet to start from, or no recipe.
    """
    workplace.runs.mkdir(parents=True, exist_ok=True)
    with FileLock(workplace.runs / f".{domain}.lock"):
        if not workplace.scores(domain).exists():
            _train(domain, workplace)


def _train(domain: str, workplace: Workplace) -> None:
    """Train a domain's policies and measure them."""
    torch.set_num_threads(1)
    spec, robot = spec_of(domain), robot_of(domain)
    if robot not in SOURCES:
        raise ValueError(f"There is a recipe for {', '.join(SOURCES)}; {domain!r} is a domain of {robot!r}.")
    plain = domain == robot
    tried = {} if plain else _try_source(robot, domain, workplace)
    kept = list(_kept(domain, workplace, tried))
    seen = [*kept, *tried.values()]
    random = score_random(spec)
    scorer = partial(score, spec=spec)
    beginnings = [] if plain else [tried[path] for path in dict.fromkeys(_experts(domain, workplace))]
    expert = choose_expert(seen, scorer, beginnings=beginnings)
    if plain and robot in SAC_SOURCES:
        pupil = ppo.Args(env_id=spec.id, **_ppo_settings(robot, domain))
        student = teach(expert.policy, spec, hidden=pupil.hidden, activation=pupil.activation, seed=workplace.seed)
        expert = final(Candidate(policy=student, rough=expert.score.mean), scorer)
    bounds = {"low": random.mean, "high": expert.score.mean}
    medium = choose_medium(seen, scorer, **bounds) if expert.score.low > random.high else None
    remark = None if plain else remark_on(expert.score, random, comparable_score(domain, workplace))
    remarks = {"medium": remark_on_medium(medium, **bounds), "expert": remark}
    scores: Json = {"random": random.to_json()}
    for level, chosen in {"expert": expert, "medium": medium}.items():
        if chosen is not None:
            goal = random.mean + KEPT * (chosen.score.mean - random.mean)
            quiet = calm(chosen.policy, partial(score_drawn, spec=spec), goal=goal)
            about = {"drawn": quiet.score.to_json(), **_said(remarks[level])}
            _put(Chosen(policy=quiet.policy, score=chosen.score), domain, level, workplace, bounds, about)
            scores[level] = {**chosen.score.to_json(), **_origin(chosen.policy.about)}
    scores |= {**_said(remark), **({"medium_remark": remarks["medium"]} if remarks["medium"] else {})}
    if plain:
        for index, candidate in enumerate(choose_snapshots(kept, **bounds)):
            _put(final(candidate, scorer), domain, f"snapshot-{index}", workplace, bounds)
    write_json(workplace.scores(domain), scores)


def _kept(domain: str, workplace: Workplace, tried: Mapping[Path, Candidate]) -> Iterator[Candidate]:
    """Train, or go on with it, and yield the policies that the runs in a domain kept."""
    robot, out = robot_of(domain), workplace.runs / "runs" / domain
    if domain == robot:
        by_sac = robot in SAC_SOURCES
        recipe = dict(SAC_SOURCES[robot]) if by_sac else _ppo_settings(robot, domain)
        yield from _run(domain, workplace, out, recipe, "source", script=sac if by_sac else ppo)
        return
    expert = _beginning(domain, workplace)
    for attempt in _attempts(domain):
        recipe = {**_ppo_settings(robot, domain), **attempt.settings}
        if not attempt.whole:
            recipe["total_steps"] = TARGETS[robot]
        if not attempt.afresh:
            recipe["start_from"] = _nearest(expert, tried) if attempt.nearest else expert
        yield from _run(domain, workplace, out / attempt.name, recipe, "target", script=ppo)


def _attempts(domain: str) -> tuple[Attempt, ...]:
    """Return the ways to train in a shifted domain."""
    found = find_domain(domain)
    kinds = [] if found is None else [shift.kind for shift in found[0].shifts(found[1])]
    robot, of_reward = robot_of(domain), next((OF_REWARDS[kind] for kind in kinds if kind in OF_REWARDS), ())
    if robot in SAC_SOURCES and any(attempt.nearest for attempt in of_reward):
        of_reward = ()  # its policies but for the expert are of SAC's shape, and it never falls
    return of_reward or ATTEMPTS.get(robot, DEFAULT_ATTEMPTS)


def _beginning(domain: str, workplace: Workplace) -> Path:
    """Return the expert to start from: that of the same dynamics and the robot's own reward, or the plain robot's.

    Raises:
        ValueError: The plain robot has none yet.
    """
    robot, own = robot_of(domain), own_reward(domain)
    for shelf in (workplace.shelf, policies_root()) if own != domain else ():
        if (expert := policy_path(own, "expert", shelf)).exists():
            return expert
    if not (expert := policy_path(robot, "expert", workplace.source(robot))).exists():
        raise ValueError(f"{domain!r} starts from the expert of {robot!r}. Train that first: --domains {robot}.")
    return expert


def _nearest(expert: Path, tried: Mapping[Path, Candidate]) -> Path:
    """Return the file of whichever policy of the expert's shape returns most."""
    form = shape(tried[expert].policy)
    return max((path for path in tried if shape(tried[path].policy) == form), key=lambda path: tried[path].rough)


def _run(
    domain: str, workplace: Workplace, out: Path, recipe: Json, kind: str, *, script: ModuleType
) -> Iterator[Candidate]:
    """Train by a script of this package, or go on with it, and yield the policies that the run kept."""
    steps = max(int(recipe.pop("total_steps") * workplace.scale), 1)
    every = max(steps // EVALUATIONS[kind], 1)
    shared: Json = {
        "env_id": spec_of(domain).id,
        "total_steps": steps,
        "seed": workplace.seed,
        "out": out,
        "device": "cpu",
        "quiet": True,
        "threads": 1,
        "eval_every": every,
        "eval_episodes": ROUGH_EPISODES,
        "checkpoint_every": every,
        "keep_policies": True,
    }
    script.main(script.Args(**recipe, **shared))
    for path in sorted((out / POLICIES).glob("*.safetensors")):
        policy = GaussianPolicy.load(path)
        (rough,) = policy.about["returns"].values()
        yield Candidate(policy=policy, rough=float(rough))


def _ppo_settings(robot: str, domain: str) -> Json:
    """Return what PPO is told about a robot."""
    return {**tuned(ppo.TUNED, spec_of(domain).id), **SOURCES[robot]}


def _try_source(robot: str, domain: str, workplace: Workplace) -> dict[Path, Candidate]:
    """Return the plain robot's policies, and the expert to start from, with about what each returns in a domain."""
    found, spec, shelf = find_domain(domain), spec_of(domain), workplace.source(robot)
    tried = {}
    for path in (*_experts(domain, workplace), *snapshot_paths(robot, shelf)):
        padded = for_sizes(GaussianPolicy.load(path), None if found is None else found[0], *sizes_of(spec))
        rough = score(padded, spec, episodes=ROUGH_EPISODES, seed=FINAL_SEED + 10_000)
        tried[path] = Candidate(policy=padded, rough=rough.mean)
    return tried


def _experts(domain: str, workplace: Workplace) -> tuple[Path, Path]:
    """Return the files of the plain robot's expert, and of the expert to start from, which may be the same."""
    robot = robot_of(domain)
    return policy_path(robot, "expert", workplace.source(robot)), _beginning(domain, workplace)


def comparable_score(domain: str, workplace: Workplace) -> float | None:
    """Return what the plain robot's expert scores at home; nothing where a domain pays for something else."""
    robot, found = robot_of(domain), find_domain(domain)
    if found is not None and any(isinstance(shift, RewardShift) for shift in found[0].shifts(found[1])):
        return None
    return float(load_domain_policy(robot, "expert", workplace.source(robot)).about["score"]["mean"])


def remark_on(expert: Score, random: Score, plain: float | None) -> str | None:
    """Return what a user of an expert must know: that it is no better than random, or came to little; or nothing."""
    if expert.low <= random.high:
        return "The expert is no better than random actions: no policy was found that the shift leaves any use to."
    if plain is None or (came_to := share(expert.mean, low=random.mean, high=plain)) >= SENSIBLE:
        return None
    return (
        f"The expert's return over random actions is {100 * came_to:.0f} % of the plain robot's. Either the shift "
        "leaves no more, or this budget did not find it."
    )


def remark_on_medium(medium: Chosen | None, *, low: float, high: float) -> str | None:
    """Return what a user of a medium policy must know: that there is none, or that it is out of range; or nothing."""
    if medium is None:
        return "No policy between a third and a half of the way from random to expert was found."
    came_to = share(medium.score.mean, low=low, high=high)
    if MEDIUM[0] <= came_to <= MEDIUM[1]:
        return None
    return (
        f"By its published score, the medium policy has gone {came_to:.3f} of the way from random to expert, not a "
        "third to a half; it was within by the episodes that it was chosen by."
    )


def _said(remark: str | None) -> Json:
    return {} if remark is None else {"remark": remark}


def _put(
    chosen: Chosen,
    domain: str,
    level: str,
    workplace: Workplace,
    bounds: Mapping[str, float],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write a policy where it is shipped from, with what more there is to say about it."""
    about = {
        **_origin(chosen.policy.about),
        "domain": domain,
        "level": level,
        "score": chosen.score.to_json(),
        "share": round(share(chosen.score.mean, low=bounds["low"], high=bounds["high"]), 4),
        "versions": versions(),
        **more,
    }
    replace(chosen.policy, about=about).save(policy_path(domain, level, workplace.shelf))


def _origin(about: Mapping[str, Any]) -> Json:
    """Return which run a policy comes from, and how far that had come."""
    return {
        "algorithm": about["algorithm"],
        "trained_in": about.get("env_id", about.get("trained_in")),
        "steps": about["steps"],
        "seed": about["seed"],
        **({"between": about["between"]} if "between" in about else {}),
    }


def measure_transfer(pair: transreward_envs.Pair, workplace: Workplace) -> Score:
    """Return what the source's expert scores in a pair's target."""
    spec = pair.spec("target")
    source = domain_name(pair, "source")
    here = policy_path(source, "expert", workplace.shelf).exists()
    expert = load_domain_policy(source, "expert", workplace.shelf if here else policies_root())
    return score(for_sizes(expert, pair, *sizes_of(spec)), spec)
