"""DARC that is kept: what is saved, copied or taken over goes on as it would have."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.wrappers.small import small
from tests.wrappers.transitions import some_transitions
from transreward_wrappers.darc.classified import features_of
from transreward_wrappers.darc.learner import ClassifierLearner
from transreward_wrappers.errors import CorruptFileError


def test_a_learner_that_is_saved_often_learns_as_much(tmp_path: Path) -> None:
    often, never = small(update_every=100), small(update_every=100)
    for seed in range(20):
        for darc in (often, never):
            darc.update(some_transitions(30, seed=seed))
        often.save(tmp_path / "darc")
    assert often.diagnostics()["classifier_updates"] == never.diagnostics()["classifier_updates"] > 20


def test_learning_is_reproducible_and_leaves_global_generators_alone() -> None:
    state = torch.random.get_rng_state()
    ratios = []
    for _ in range(2):
        darc = small(seed=5)
        darc.update(some_transitions(256))
        ratios.append(darc.log_ratio(some_transitions(10, seed=1)))
    assert np.array_equal(*ratios)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_reseeding_draws_other_batches_and_forgets_nothing() -> None:
    batch, ratios = some_transitions(10, seed=1), []
    for seed in (3, 3, 4):
        darc = small()
        darc.update(some_transitions(256))
        before = darc.log_ratio(batch)
        darc.reseed(seed)
        assert np.array_equal(darc.log_ratio(batch), before)
        darc.update(some_transitions(256, seed=2))
        ratios.append(darc.log_ratio(batch))
    assert np.array_equal(ratios[0], ratios[1])
    assert not np.array_equal(ratios[0], ratios[2])


@pytest.mark.parametrize("how", ["file", "pickle", "deepcopy"])
def test_a_copy_goes_on_learning_as_the_original_would(how: str, tmp_path: Path) -> None:
    darc = small()
    for seed in range(3):
        darc.update(some_transitions(70, seed=seed))
    darc.save(tmp_path / "darc.safetensors")
    if how == "file":
        other = small(seed=1)
        other.load(tmp_path / "darc.safetensors")
    else:
        other = pickle.loads(pickle.dumps(darc)) if how == "pickle" else copy.deepcopy(darc)
    for learner in (darc, other):
        learner.update(some_transitions(256, seed=7))
    batch = some_transitions(30, seed=8)
    assert np.array_equal(darc(batch), other(batch))
    assert darc.diagnostics() == other.diagnostics()


def test_classifiers_that_are_not_trained_any_more_say_the_same_of_what_they_saw() -> None:
    darc, batch = small(updates=0), some_transitions(50, seed=9)
    darc.update(some_transitions(128))
    before = darc.log_ratio(batch)
    far = some_transitions(640, seed=1)
    darc.update(replace(far, observation=far.observation + 3.0, next_observation=far.next_observation + 3.0))
    assert darc.learner.steps == 768
    assert np.array_equal(darc.log_ratio(batch), before)


@pytest.mark.parametrize("moment", [100, 128, 150])
def test_saving_changes_nothing_of_what_is_learned(moment: int, tmp_path: Path) -> None:
    ratios = []
    for saves in (False, True, "and loads"):
        darc = small(warmup=130)
        for seed in range(300):
            darc.update(some_transitions(1, seed=seed))
            if saves and seed == moment:
                darc.save(tmp_path / "darc.safetensors")
            if saves == "and loads" and seed == moment:
                darc = small(warmup=130)
                darc.load(tmp_path / "darc.safetensors")
        ratios.append(darc.log_ratio(some_transitions(20, seed=999)))
    assert np.array_equal(ratios[0], ratios[1])
    assert np.array_equal(ratios[0], ratios[2])


@pytest.mark.parametrize(
    "change", [{"parameterisation": "advantage"}, {"hidden": 8}, {"members": 2}, {"quadratic": True}]
)
def test_classifiers_of_another_shape_are_refused(change: dict, tmp_path: Path) -> None:
    darc = small()
    darc.update(some_transitions(128))
    darc.save(tmp_path / "darc.safetensors")
    with pytest.raises(CorruptFileError, match="of classifiers of their own shape; .*darc.safetensors is of"):
        small(**change).load(tmp_path / "darc.safetensors")


def test_a_larger_memory_takes_over_what_a_smaller_one_had_and_no_more(tmp_path: Path) -> None:
    darc = small(capacity=100)
    for seed in range(5):
        darc.update(some_transitions(100, seed=seed))
    darc.save(tmp_path / "darc.safetensors")
    larger = small(capacity=1_000)
    larger.load(tmp_path / "darc.safetensors")
    for name, rows in larger.learner.memory.tensors().items():
        assert len(rows) == (100 if name.startswith("learned") else len(darc.learner.memory.tensors()[name]))
        assert rows.abs().sum(dim=1).min() > 0.0 if len(rows) else True
        assert torch.equal(rows, darc.learner.memory.tensors()[name])


def test_seeds_side_by_side_learn_what_each_learns_alone() -> None:
    sizes = {"observation_size": 3, "action_size": 2}
    together = ClassifierLearner(seeds=(0, 5), **sizes, **small().learner_settings())
    source, target = (features_of(some_transitions(300, seed=seed)) for seed in (1, 2))
    how = {"updates": 0, "every": 1, "warmup": 0, "burst": 300}
    together.learn(source, target, **how)
    for index, seed in enumerate((0, 5)):
        alone = ClassifierLearner(seeds=(seed,), **sizes, **small().learner_settings())
        alone.learn(source, target, **how)
        mine = together.alone(index).classifiers.log_ratio(source)
        np.testing.assert_allclose(mine, alone.classifiers.log_ratio(source), atol=2e-4)
