"""Builds a dataset of one domain and one quality, the same one whenever and wherever it is asked for."""

from __future__ import annotations

import platform
import shutil
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import h5py
import numpy as np
from tqdm import tqdm

import transreward_envs
from transreward_baselines.data.collect import Behaviour, collect, lanes_for
from transreward_baselines.lanes import Lanes, make_lanes, sizes_of
from transreward_baselines.versions import versions
from transreward_envs import Pair, get_pair
from transreward_envs.errors import require_count, unknown
from transreward_envs.pairs import ROLES, Role
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.datasets import Dataset, DatasetError, DatasetWriter, dataset_id, datasets_root
from transreward_wrappers.datasets.writer import SCHEMA, env_spec_json, held
from transreward_wrappers.policies import (
    GaussianPolicy,
    UniformPolicy,
    for_sizes,
    load_domain_policy,
    policies_root,
    snapshots,
)

Quality = Literal["random", "medium", "medium-replay", "medium-expert", "expert"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
SIZE, SMALL_SIZE = 1_000_000, 100_000
SMALL = {"Reacher", "Reacher7", "Pusher", "InvertedPendulum", "InvertedDoublePendulum"}
"""Robots with short or simple tasks, whose datasets have ``SMALL_SIZE`` transitions unless told otherwise."""

EPISODE_BYTES = 3_200
"""What HDF5 takes for an episode besides its arrays."""

SHORT = 20
"""Steps of a short episode."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class BuildArgs:
    """What to build.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown, or a number breaks its rule.
    """

    pair: str
    """Name of the pair."""

    domain: Role = "target"
    """The domain."""

    quality: Quality = "medium"
    """Of the policies that act."""

    size: int | None = None
    """Transitions; a million when left out, 100,000 of robots with short or simple tasks."""

    seed: int = 0
    """Of everything random."""

    root: Path | None = None
    """Folder of all datasets; Minari's when left out."""

    threads: int = 0
    """Threads that step the lanes; all CPUs when 0."""

    def __post_init__(self) -> None:
        get_pair(self.pair)
        for name, valid in (("domain", ROLES), ("quality", QUALITIES)):
            if getattr(self, name) not in valid:
                raise ValueError(unknown(name, getattr(self, name), valid))
        if self.size is not None:
            require_count("size", self.size, at_least=1)
        require_count("seed", self.seed)
        require_count("threads", self.threads)

    @property
    def usual_size(self) -> int:
        """Return the transitions of a dataset when nothing is said."""
        return SMALL_SIZE if get_pair(self.pair).robot_of(self.domain).name in SMALL else SIZE

    @property
    def id(self) -> str:
        """Return the id of the dataset; it tells an unusual size and seed."""
        quality = self.quality if self.seed == 0 else f"{self.quality}-seed{self.seed}"
        size = None if self.size in (None, self.usual_size) else self.size
        return dataset_id(get_pair(self.pair).robot_of(self.domain).name, self.pair, self.domain, quality, size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A share of a dataset, and who acts in it."""

    behaviour: Behaviour
    about: Json


def build(args: BuildArgs) -> Dataset:
    """Return a dataset, built unless it is there already.

    Of several processes that build the same one, the others wait for the first. What a killed one left is swept away.

    Raises:
        ValueError: The domain has no policy of that quality, or the dataset would be shorter than an episode.
        DatasetError: The dataset that is there was built from other policies; by other versions, a warning says so.
        OSError: There is no room, or no right to write.
    """
    pair, root = get_pair(args.pair), args.root or datasets_root()
    spec = pair.spec(args.domain)
    size = args.size or args.usual_size
    directory = root / args.id
    parts = find_parts(pair, args.domain, args.quality)
    count = lanes_for(size, len(parts), pair.max_episode_steps(args.domain))
    about = _about(pair, args, size, parts)
    with held(directory):
        if directory.exists():
            return _found(directory, about)
        lanes = Lanes(make_lanes(spec, count, threads=args.threads))
        writer = DatasetWriter(
            directory,
            observation_space=lanes.envs.single_observation_space,
            action_space=lanes.action_space,
            metadata={
                "dataset_id": args.id,
                "env_spec": env_spec_json(spec),
                "algorithm_name": ", ".join(dict.fromkeys(part.about["algorithm"] for part in parts)),
                "description": f"{args.quality} policies in the {args.domain} of {pair.name}",
                "author": ["transreward_envs"],
                "requirements": [f"transreward-envs=={transreward_envs.__version__}"],
                "transreward": about,
            },
        )
        with closing(lanes):
            _require_room(directory, lanes, size)
            with writer:
                _write(writer, lanes, parts, size, args, pair.max_episode_steps(args.domain))
    return Dataset(directory)


def find_parts(pair: Pair, role: Role, quality: str) -> list[Part]:
    """Return the policies that act in a dataset of a quality, each for an equal share of it.

    ``medium-replay`` has the snapshots of the plain robot's training up to the share of the way from random to expert
    that the medium policy has gone in its domain, and that policy: much as a replay buffer would have.

    Raises:
        ValueError: The domain has no policies for it, or they are of another size.
    """
    robot, domain = pair.robot_of(role).name, domain_name(pair, role)
    sizes = sizes_of(pair.spec(role))
    if quality == "random":
        return [Part(behaviour=UniformPolicy(action_size=sizes[1]), about={"level": "random", "algorithm": "random"})]
    levels = {"medium-expert": ("medium", "expert"), "medium-replay": ("medium",)}.get(quality, (quality,))
    policies = [load_domain_policy(domain, level) for level in levels]
    if quality == "medium-replay":
        limit = _told(policies[0], "share", domain)
        earlier = [policy for policy in snapshots(robot) if _told(policy, "share", robot) < limit]
        if not earlier:
            raise ValueError(
                f"`medium-replay` needs snapshots of {robot}'s training that are worse than medium; {policies_root()} "
                f"has none. Train them: transreward policies train --domains {robot}."
            )
        policies = earlier + policies
    return [
        Part(
            behaviour=for_sizes(policy, pair, *sizes),
            about={**policy.about, "algorithm": _told(policy, "algorithm", domain), "sha256": policy.digest()},
        )
        for policy in policies
    ]


def _told(policy: GaussianPolicy, name: str, domain: str) -> Any:
    """Return what a policy's metadata say, as ``policies train`` writes them."""
    if name not in policy.about:
        raise ValueError(
            f"Datasets say whose actions they hold, so that a policy's metadata need {name!r}; a policy of {domain!r} "
            f"in {policies_root()} lacks it. Save it again with that in `about`, or train one: transreward policies "
            f"train --domains {domain}."
        )
    return policy.about[name]


def _write(writer: DatasetWriter, lanes: Lanes, parts: list[Part], size: int, args: BuildArgs, time_limit: int) -> None:
    """Write the episodes of all parts, and what their returns were."""
    shares = [size // len(parts) + (index < size % len(parts)) for index in range(len(parts))]
    returns: list[float] = []
    with tqdm(total=size, desc=args.id, unit="step", disable=None) as bar:
        for index, (part, share) in enumerate(zip(parts, shares, strict=True)):
            seed = int(np.random.SeedSequence([args.seed, index]).generate_state(1)[0] // 2)
            for episode in collect(part.behaviour, lanes, share, seed=seed, index=index):
                writer.add(episode)
                bar.update(len(episode))
                if episode.terminated or len(episode) == time_limit:
                    returns.append(episode.total_return)
    writer.metadata["transreward"] |= {
        "whole_episodes": len(returns),
        "return_mean": float(np.mean(returns)) if returns else None,
        "return_std": float(np.std(returns)) if returns else None,
    }


def _about(pair: Pair, args: BuildArgs, size: int, parts: list[Part]) -> Json:
    """Return where a dataset comes from."""
    return {
        "schema": SCHEMA,
        "pair": pair.to_json(),
        "domain": args.domain,
        "quality": args.quality,
        "size": size,
        "seed": args.seed,
        "policies": [part.about for part in parts],
        "versions": {**versions(), "h5py": h5py.__version__, "python": platform.python_version()},
    }


def _found(directory: Path, about: Mapping[str, Any]) -> Dataset:
    """Return the dataset that is there, if it is the one that was asked for."""
    dataset = Dataset(directory)
    dataset.require_whole()
    differing = [name for name in about if name != "versions" and dataset.about.get(name) != about[name]]
    if differing:
        raise DatasetError(
            f"{directory} was built differently: its {' and '.join(differing)} are not those asked for. Delete it to "
            "build it anew, or choose another `--root`."
        )
    if dataset.about.get("versions") != about["versions"]:
        warnings.warn(
            f"{directory} was built by {dataset.about.get('versions')}, and these are {about['versions']}. Delete it "
            "to build it anew.",
            stacklevel=3,
        )
    return dataset


def _require_room(directory: Path, lanes: Lanes, size: int) -> None:
    """Raise unless there is room for a dataset of episodes as short as random actions make them."""
    needed = 1.2 * size * (8 * lanes.observation_size + 4 * lanes.action_size + 8 + 8 + 2 + EPISODE_BYTES / SHORT)
    free = shutil.disk_usage(directory.parent).free
    if free < needed:
        raise OSError(
            f"The dataset takes about {needed / 1e6:,.0f} MB; {directory.parent} has {free / 1e6:,.0f} MB left. Free "
            "some, or choose another folder by `--root` or MINARI_DATASETS_PATH."
        )
