"""Ratios of dynamics between any two of several tasks."""

import numpy as np
import pytest
import torch

from transreward_baselines.meta.classifiers import TaskClassifiers

SHIFTS = np.array([-0.5, 0.0, 0.7])
"""Means of s' in three tasks: s' is normal around a + shift, with deviation 1."""

DRIFT = np.array([0.4, -0.3, 0.0])
"""Means of a in these: what is done differs, too, and must not count."""


def drawn(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(a, s')`` of as many of each task, and the tasks."""
    tasks = np.repeat(np.arange(3), count)
    actions = DRIFT[tasks] + generator.standard_normal(len(tasks))
    return np.stack([actions, actions + SHIFTS[tasks] + generator.standard_normal(len(tasks))], axis=1), tasks


def fitted(updates: int, **settings: float) -> TaskClassifiers:
    torch.manual_seed(0)
    given = {"hidden": 16, "members": 2, "learning_rate": 1e-2, "input_noise": 0.0, **settings}
    classifiers, generator = TaskClassifiers(3, 1, 2, **given), np.random.default_rng(0)
    for _ in range(updates):
        features, tasks = zip(*(drawn(128, generator) for _ in range(2)), strict=True)
        inputs = torch.from_numpy(np.stack(features)).float()
        classifiers.descend(inputs, torch.from_numpy(np.stack(tasks)), torch.Generator().manual_seed(0))
    return classifiers


def ratios(classifiers: TaskClassifiers, features: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    inputs = torch.from_numpy(features).float()
    return classifiers.log_ratios(inputs, torch.from_numpy(source), torch.from_numpy(target)).numpy()


def test_log_ratios_are_those_of_gaussians() -> None:
    classifiers = fitted(400)
    features, source = drawn(500, np.random.default_rng(1))
    target = (source + 1) % 3
    change = features[:, 1] - features[:, 0]
    exact = 0.5 * (change - SHIFTS[source]) ** 2 - 0.5 * (change - SHIFTS[target]) ** 2
    error = np.sqrt(np.mean((ratios(classifiers, features, source, target).mean(axis=0) - exact) ** 2))
    assert error < 0.25 * exact.std()


def test_ratios_of_three_tasks_fit_together_whatever_the_networks_say() -> None:
    classifiers = fitted(3)
    features, source = drawn(20, np.random.default_rng(1))
    one, two = (source + 1) % 3, (source + 2) % 3
    assert (ratios(classifiers, features, source, source) == 0.0).all()
    there, back = ratios(classifiers, features, source, one), ratios(classifiers, features, one, source)
    assert np.allclose(there, -back, atol=1e-6)
    onwards, across = ratios(classifiers, features, one, two), ratios(classifiers, features, source, two)
    assert np.allclose(there + onwards, across, atol=1e-5)
    assert there.shape == (2, 60)
    assert not np.allclose(there[0], there[1])


def test_noise_on_the_inputs_takes_ratios_towards_one() -> None:
    features, source = drawn(500, np.random.default_rng(1))
    spreads = [ratios(fitted(150, input_noise=noise), features, source, (source + 1) % 3).std() for noise in (0.0, 2.0)]
    assert spreads[1] < 0.7 * spreads[0]


def test_classifiers_come_back_as_they_were() -> None:
    classifiers, again = fitted(5), fitted(0)
    again.load(classifiers.tensors())
    assert again.updates == 5
    features, source = drawn(20, np.random.default_rng(1))
    assert np.array_equal(*(ratios(one, features, source, (source + 1) % 3) for one in (classifiers, again)))
    assert again.tensors().keys() == classifiers.tensors().keys()
    with pytest.raises(RuntimeError, match="size mismatch"):
        TaskClassifiers(4, 1, 2, hidden=16, members=2, learning_rate=1e-3, input_noise=0.0).load(classifiers.tensors())
