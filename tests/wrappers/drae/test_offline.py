"""DRaE on datasets: source data in, the same data out, with rewards that teach the target's values."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium.spaces import Box

from tests.wrappers.test_dara_offline import dataset
from tests.wrappers.transitions import SOURCE, TARGET
from transreward_wrappers.datasets import Dataset, DatasetError, DatasetWriter, Episode
from transreward_wrappers.drae.cloning import clone_policy
from transreward_wrappers.drae.offline import PolicyRatio, clone_behaviour, fit, relabel_source
from transreward_wrappers.policies import GaussianPolicy, UniformPolicy

SETTINGS = {"batch_size": 128, "hidden": 16, "members": 2}


def some_policy(*, seed: int = 0, observation_size: int = 2, action_size: int = 1, std: float = 0.4) -> GaussianPolicy:
    generator = np.random.default_rng(seed)
    shapes = [(8, observation_size), (action_size, 8)]
    return GaussianPolicy(
        weights=tuple(generator.standard_normal(shape).astype(np.float32) for shape in shapes),
        biases=tuple(np.zeros(shape[0], np.float32) for shape in shapes),
        activation="tanh",
        squash="tanh",
        log_std=np.full(action_size, np.log(std), np.float32),
        observation_mean=np.zeros(observation_size),
        observation_variance=np.ones(observation_size),
    )


def logged(
    directory: Path,
    policies: list[GaussianPolicy | UniformPolicy],
    *,
    keep: bool = True,
    high: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Write ten episodes of 50 steps by each policy, with its log-densities or without."""
    spaces = {"observation_space": Box(-np.inf, np.inf, (2,)), "action_space": Box(-high, high, (1,))}
    metadata = {"dataset_id": f"tried/{directory.name}-v0", "transreward": {"schema": 1}}
    generator = np.random.default_rng([len(policies), seed])
    with DatasetWriter(directory, **spaces, metadata=metadata) as writer:
        for index in np.repeat(np.arange(len(policies)), 10):
            observations = generator.standard_normal((51, 2))
            actions, log_densities = policies[index].sample(observations[:-1], generator)
            writer.add(
                Episode(
                    observations=observations,
                    actions=high * actions,
                    rewards=generator.standard_normal(50),
                    terminated=bool(index % 2),
                    log_densities=log_densities - np.log(high) if keep else None,
                    policy=int(index),
                )
            )
    return Dataset(directory)


def test_source_data_gets_the_rewards_of_whole_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = dataset(tmp_path / "source", SOURCE, 40, seed=0)
    target = dataset(tmp_path / "target", TARGET, 20, seed=1)
    new = relabel_source(source, target, tmp_path / "new", name="tried/new-v0", updates=100, settings=SETTINGS)
    before, after = source.transitions(), new.transitions()
    for name in ("observations", "actions", "next_observations", "terminated", "episode"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    drae = fit(source, target, updates=100, ratio=PolicyRatio(), settings=SETTINGS)
    expected = drae.trajectory_added(before.as_transitions(0), before.terminated | before.truncated)
    np.testing.assert_allclose(after.rewards - before.rewards, expected, atol=1e-9)
    assert np.abs(expected).max() > 0.01
    told = new.about["compensation"]
    assert (told["method"], told["updates"], told["policy"], told["settings"]["members"]) == ("drae", 100, None, 2)
    assert new.about["relabelled_from"] == "tried/source-v0"
    assert drae.diagnostics()["value_updates"] == 100
    monkeypatch.setattr("transreward_wrappers.drae.offline.fit", lambda *_, **__: pytest.fail("it learns"))
    with pytest.raises(FileExistsError):
        relabel_source(source, target, tmp_path / "new", name="tried/new-v0", updates=1, settings=SETTINGS)


def test_actions_are_weighed_by_logged_probabilities(tmp_path: Path) -> None:
    behaviours = [some_policy(seed=1), UniformPolicy(action_size=1)]
    source = logged(tmp_path / "source", behaviours, high=2.0)
    flat, policy = source.transitions(), some_policy(seed=2)
    actions = flat.actions / 2.0
    exact = policy.log_densities(flat.observations, actions) - np.log(2.0) - flat.log_densities
    ratio = PolicyRatio(policy=policy, clip=3.0)
    np.testing.assert_allclose(ratio.logs(source), exact, atol=1e-5)
    np.testing.assert_allclose(ratio.weights(source), np.minimum(np.exp(np.maximum(exact, -20.0)), 3.0), rtol=1e-4)
    assert PolicyRatio().logs(source) is None
    assert np.array_equal(PolicyRatio().weights(source), np.ones(1_000))
    own = PolicyRatio(policy=behaviours[0]).logs(source)
    np.testing.assert_allclose(own[flat.policy == 0], 0.0, atol=1e-4)


def test_missing_probabilities_are_an_error_or_cloned_on_request(tmp_path: Path) -> None:
    behaviours = [some_policy(seed=1), UniformPolicy(action_size=1)]
    bare, policy = logged(tmp_path / "bare", behaviours, keep=False), some_policy(seed=2)
    with pytest.raises(DatasetError, match=r"bare lacks those of 1,000 of 1,000 transitions. .*`clone=True`, or `--cl"):
        PolicyRatio(policy=policy).logs(bare)
    told = logged(tmp_path / "told", behaviours)
    assert np.array_equal(told.transitions().actions, bare.transitions().actions)
    cloned, exact = (
        PolicyRatio(policy=policy, clone=True, clone_updates=500).logs(bare),
        PolicyRatio(policy=policy).logs(told),
    )
    assert np.sqrt(((cloned - exact) ** 2).mean()) < 0.35 * exact.std()


def test_probabilities_that_are_missing_in_part_are_missing(tmp_path: Path) -> None:
    told = logged(tmp_path / "told", [some_policy(seed=1)])
    with h5py.File(told.directory / "data" / "main_data.hdf5", "r+") as file:
        file["episode_3"]["infos"]["action_log_density"][7] = np.nan
    with pytest.raises(DatasetError, match="lacks those of 1 of 500 transitions"):
        PolicyRatio(policy=some_policy(seed=2)).logs(Dataset(told.directory))


def test_a_cloned_policy_is_nearly_the_policy_itself() -> None:
    generator, policy = np.random.default_rng(0), some_policy(seed=1)
    observations = generator.standard_normal((5_000, 2))
    actions, log_densities = policy.sample(observations, generator)
    cloned = clone_policy(observations, actions, updates=600)
    found = cloned.log_densities(observations, actions)
    assert abs(found.mean() - log_densities.mean()) < 0.05
    assert np.exp(cloned.log_std[0]) == pytest.approx(0.4, abs=0.05)
    again = clone_policy(observations, actions, updates=600)
    assert np.array_equal(again.log_densities(observations, actions), found)


def test_the_values_are_those_of_the_policy_that_is_given(tmp_path: Path) -> None:
    source, target = (logged(tmp_path / str(seed), [UniformPolicy(action_size=1)], seed=seed) for seed in (0, 1))
    settings = {"batch_size": 64, "hidden": 16, "members": 1, "gamma": 0.0}
    paid_by_action = replace_rewards(source, tmp_path / "s"), replace_rewards(target, tmp_path / "t")
    states = np.random.default_rng(0).standard_normal((200, 2))
    found = []
    for policy in (None, constant_policy(0.8), constant_policy(-0.8)):
        ratio = PolicyRatio(policy=policy, clip=5.0)
        drae = fit(*paid_by_action, updates=250, ratio=ratio, settings=settings)
        found.append(float(drae.state_value(states).mean()))
    assert found[1] > found[0] + 0.3
    assert found[2] < found[0] - 0.3


def constant_policy(action: float) -> GaussianPolicy:
    """Return a policy that does nearly the same wherever it is."""
    policy = some_policy(std=0.1)
    return replace(
        policy,
        weights=tuple(np.zeros_like(weight) for weight in policy.weights),
        biases=(policy.biases[0], np.array([np.arctanh(action)], np.float32)),
    )


def replace_rewards(data: Dataset, directory: Path) -> Dataset:
    """Write a dataset anew whose reward is the action."""
    spaces = {"observation_space": Box(-np.inf, np.inf, (2,)), "action_space": Box(-1.0, 1.0, (1,))}
    with DatasetWriter(directory, **spaces, metadata={"transreward": {"schema": 1}}) as writer:
        for episode in data.episodes():
            writer.add(replace(episode, rewards=episode.actions[:, 0].astype(np.float64)))
    return Dataset(directory)


def test_one_policy_is_cloned_from_a_datasets_actions_in_their_own_scale(tmp_path: Path) -> None:
    data = logged(tmp_path / "wide", [constant_policy(0.5)], high=4.0)
    assert clone_behaviour(data, updates=300)(np.zeros((3, 2))) == pytest.approx(0.5, abs=0.05)


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    source = dataset(tmp_path / "source", SOURCE, 5, seed=0)
    short = dataset(tmp_path / "short", SOURCE, 1, seed=0)
    wide = dataset(tmp_path / "wide", SOURCE, 5, seed=0, action_size=2)
    plain = {"updates": 1, "ratio": PolicyRatio()}
    with pytest.raises(DatasetError, match="need half a batch, 128 transitions, .* got 500 and 100"):
        fit(source, short, settings={}, **plain)
    with pytest.raises(DatasetError, match="must have one action space"):
        fit(source, wide, settings={}, **plain)
    with pytest.raises(ValueError, match="Unknown setting of DRaE 'kinds'. Did you mean 'kind'"):
        fit(source, source, settings={"kinds": "slide"}, **plain)
    with pytest.raises(ValueError, match="`updates` must be an integer >= 1; got 0"):
        fit(source, source, updates=0, ratio=PolicyRatio(), settings={})
    with pytest.raises(ValueError, match="`clip` must be finite and > 0; got 0"):
        PolicyRatio(clip=0)
    with pytest.raises(ValueError, match="`clone_updates` must be an integer >= 1; got 0"):
        PolicyRatio(clone_updates=0)
    other = PolicyRatio(policy=some_policy(observation_size=5), clone=True)
    with pytest.raises(ValueError, match="A policy must be of the domain's own robot"):
        other.logs(source)
