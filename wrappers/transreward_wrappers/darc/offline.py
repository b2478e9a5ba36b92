"""DARA offline: source data with rewards for what the target would do (Liu et al., 2022, arXiv:2203.06662).

    r <- r + eta * clip(dr)

with ``dr`` from classifiers that learn from two datasets. (The paper's slides print the opposite sign, and subtract.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from minari.serialization import deserialize_space

from transreward_envs.errors import require_count
from transreward_envs.pairs import Pair
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.bound import make_compensation
from transreward_wrappers.compensation import Transitions
from transreward_wrappers.darc.classified import Classified
from transreward_wrappers.darc.darc import DARA, DARC
from transreward_wrappers.darc.learner import ClassifierLearner
from transreward_wrappers.datasets.dataset import Dataset, DatasetError
from transreward_wrappers.datasets.relabel import relabel
from transreward_wrappers.datasets.writer import held, require_vacant

AT_ONCE = {"warmup": 0, "updates": 0, "update_every": 1}
"""Settings by which classifiers learn all at once, in ``fit_budget`` gradient steps."""

Rests = TypeVar("Rests", bound=Classified)
UPDATES = 10_000
"""Gradient steps of the classifiers."""


def relabel_source(
    source: Dataset,
    target: Dataset,
    directory: Path,
    *,
    name: str,
    updates: int = UPDATES,
    settings: Mapping[str, Any] | None = None,
) -> Dataset:
    """Write a source dataset anew with DARA's rewards.

    Args:
        source: The source's data; it stays as it is.
        target: The target's, by which the classifiers tell the domains apart.
        directory: Folder of the new dataset.
        name: Id of the new dataset.
        updates: Gradient steps of the classifiers.
        settings: Keywords of :class:`~transreward_wrappers.darc.DARA`.

    Raises:
        ValueError: A setting is unknown or breaks its rule, or the datasets hide actions under way.
        DatasetError: The datasets are of different spaces or domains, the same, or too small for a batch.
        FileExistsError: The folder is taken.
    """
    with held(directory):
        require_vacant(directory)
        return _relabel(source, target, fit(source, target, updates=updates, settings=settings or {}), directory, name)


def relabel_source_by_seeds(
    source: Dataset,
    target: Dataset,
    directories: Mapping[int, Path],
    names: Mapping[int, str],
    *,
    updates: int = UPDATES,
    settings: Mapping[str, Any] | None = None,
) -> list[Dataset]:
    """Write a source dataset anew once a seed, as :func:`relabel_source` would with each.

    The classifiers of all seeds learn side by side, in much less time than one after another, and learn what each would
    alone.

    Args:
        source: The source's data.
        target: The target's.
        directories: Folders of the new datasets, by seed.
        names: Ids of the new datasets, by seed.
        updates: Gradient steps of the classifiers.
        settings: Keywords of :class:`~transreward_wrappers.darc.DARA`, but for ``seed``.

    Raises:
        ValueError: A setting is unknown or breaks its rule, or the datasets hide actions under way.
        DatasetError: The datasets are of different spaces or domains, the same, or too small for a batch.
        FileExistsError: A folder is taken.
    """
    with ExitStack() as stack:
        for directory in directories.values():
            stack.enter_context(held(directory))
            require_vacant(directory)
        daras = fit_by_seeds(source, target, list(directories), updates=updates, settings=settings or {})
        return [
            _relabel(source, target, dara, directories[seed], names[seed])
            for seed, dara in zip(directories, daras, strict=True)
        ]


def _relabel(source: Dataset, target: Dataset, dara: DARC, directory: Path, name: str) -> Dataset:
    about = {
        "method": "dara",
        "settings": dara.settings(),
        "updates": dara.fit_budget,
        "target": target.metadata.get("dataset_id", str(target.directory)),
        "data": data_of(source, target),
        **dara.learner.accuracies(max(source.total_steps, target.total_steps)),
    }
    return relabel(source, dara, directory, domain=0, about=about, name=name)


def data_of(source: Dataset, target: Dataset) -> dict[str, str]:
    """Return what tells the data that classifiers learn from apart from all others, as JSON types."""
    return {"source": source.digest(), "target": target.digest()}


def fit_by_seeds(
    source: Dataset, target: Dataset, seeds: Sequence[int], *, updates: int, settings: Mapping[str, Any]
) -> list[DARC]:
    """Return what :func:`fit` gives with each seed, all learnt side by side."""
    together, batches = prepare(DARA, source, target, updates=updates, settings=settings)
    sizes = {"observation_size": batches[0].observation.shape[1], "action_size": batches[0].action.shape[1]}
    learner = ClassifierLearner(seeds=seeds, **sizes, **together.learner_settings())
    together.adopt(learner)
    together.update(joined(batches))
    require_learned(together, batches)
    daras: list[DARC] = []
    for index, seed in enumerate(seeds):
        alone = replace(together, seed=seed)
        alone.bind(**sizes)
        alone.adopt(learner.alone(index))
        daras.append(alone)
    return daras


def fit(source: Dataset, target: Dataset, *, updates: int, settings: Mapping[str, Any]) -> DARC:
    """Return DARA with classifiers that have learned from two datasets; see :func:`relabel_source`."""
    dara, batches = prepare(DARA, source, target, updates=updates, settings=settings)
    dara.update(joined(batches))
    require_learned(dara, batches)
    return dara


def prepare(
    cls: type[Rests], source: Dataset, target: Dataset, *, updates: int, settings: Mapping[str, Any]
) -> tuple[Rests, list[Transitions]]:
    """Return a compensation that rests on classifiers, ready to learn from two datasets, and their transitions.

    All is learned in the one call of ``update`` that takes them.

    Raises:
        ValueError: A setting is unknown or breaks its rule, or the datasets hide actions under way.
        DatasetError: The datasets are of different spaces or domains, the same, or too small for a batch.
    """
    require_count("updates", updates, at_least=1)
    for name in (*AT_ONCE, "fit_budget", "target_data"):
        if name in settings:
            raise ValueError(
                f"`{name}` is of classifiers that learn while an agent acts; got it as {settings[name]!r}, and two "
                "datasets, from which all is learned at once. Leave it out, and say by `updates` how many gradient "
                "steps there are."
            )
    room = max(source.total_steps, target.total_steps, cls.capacity)
    whole = {"capacity": room, **settings, **AT_ONCE, "fit_budget": updates}
    compensation = make_compensation(cls, whole)
    assert isinstance(compensation, cls)
    require_source_and_target(source, target)
    for dataset in (source, target):
        if "pair" in dataset.about:
            compensation.check(Pair.from_json(dataset.about["pair"]))
    batches = [dataset.transitions().as_transitions(domain) for domain, dataset in enumerate((source, target))]
    half = compensation.batch_size // 2
    if min(map(len, batches)) < half:
        raise _too_few(half, batches)
    compensation.bind(batches[0].observation.shape[1], batches[0].action.shape[1])
    return compensation, batches


def require_learned(compensation: Classified, batches: list[Transitions]) -> None:
    """Raise ``DatasetError`` unless there was enough to learn from, beside what was held out."""
    if not compensation.learner.warm:
        raise _too_few(compensation.batch_size // 2, batches)


def _too_few(half: int, batches: list[Transitions]) -> DatasetError:
    return DatasetError(
        f"The classifiers need half a batch, {half} transitions, of each domain to learn from; got {len(batches[0])} "
        f"and {len(batches[1])}. Give more data, or a smaller `batch_size`."
    )


def joined(batches: list[Transitions]) -> Transitions:
    """Return several batches as one."""
    names = ("observation", "action", "reward", "next_observation", "terminated", "domain")
    return Transitions(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


def require_source_and_target(source: Dataset, target: Dataset) -> None:
    """Check that two datasets can teach how a source and its target differ.

    Raises:
        DatasetError: They have different spaces or the same data, or say that they are of other domains than a pair's
            source and target.
    """
    for kind in ("observation_space", "action_space"):
        spaces = [deserialize_space(dataset.metadata[kind]) for dataset in (source, target)]
        if spaces[0] != spaces[1]:
            raise DatasetError(
                f"Both datasets must have one {kind.replace('_', ' ')}; {source.directory} has {spaces[0]} and "
                f"{target.directory} has {spaces[1]}. Give datasets of one pair."
            )
    if source.digest() == target.digest():
        raise DatasetError(
            f"There must be data of both domains; {source.directory} and {target.directory} are the same data. "
            "Give the source's first, and then the target's."
        )
    if "pair" not in target.about:
        return
    pair = Pair.from_json(target.about["pair"])
    wanted, theirs = domain_name(pair, "target"), domain_name(pair, target.about["domain"])
    if theirs != wanted:
        raise DatasetError(
            f"The second dataset must be of a pair's target; {target.directory} is of {theirs!r}, the source of "
            f"{pair.name!r}. Give the source's data first, and then the target's."
        )
    if "pair" in source.about:
        origin = domain_name(Pair.from_json(source.about["pair"]), source.about["domain"])
        if origin != (wanted := domain_name(pair, "source")):
            raise DatasetError(
                f"The first dataset must be of the source of the second's pair, {pair.name!r}; {source.directory} is "
                f"of {origin!r}, not of {wanted!r}. Give datasets of one pair."
            )
