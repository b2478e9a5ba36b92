"""Whether a dataset is of a pair's domain."""

from __future__ import annotations

import numpy as np
from gymnasium import Env
from gymnasium.spaces import Box
from minari.serialization import deserialize_space

from transreward_envs.pairs import Pair
from transreward_envs.pairs.domains import domain_name
from transreward_envs.pairs.pair import Role
from transreward_wrappers.datasets.dataset import Dataset


def require_domain(dataset: Dataset, env: Env, pair: Pair, role: Role, *, setting: str) -> None:
    """Check that a dataset has the spaces of a domain, and was not built from another one.

    Args:
        dataset: The dataset, public or ours.
        env: The domain.
        pair: Whose domain it is.
        role: Which of the two.
        setting: What named the dataset, such as ``source_data``.

    Raises:
        ValueError: It has others, or was.
    """
    for name in ("observation_space", "action_space"):
        mine, theirs = getattr(env, name), deserialize_space(dataset.metadata[name])
        alike = isinstance(theirs, Box) and mine.shape == theirs.shape
        if alike and name == "action_space":
            alike = np.allclose([mine.low, mine.high], [theirs.low, theirs.high])
        if not alike:
            raise ValueError(
                f"A dataset of the {role} must have its spaces; the {name.replace('_', ' ')} of {dataset.directory} is "
                f"{theirs}, that of {pair.name!r} {mine}. Give another as `{setting}`."
            )
    if "pair" in dataset.about:
        origin = domain_name(Pair.from_json(dataset.about["pair"]), dataset.about["domain"])
        if origin != (wanted := domain_name(pair, role)):
            raise ValueError(
                f"A dataset of the {role} must be of its domain; {dataset.directory} is of {origin!r}, and the {role} "
                f"of {pair.name!r} is {wanted!r}. Give another as `{setting}`."
            )
