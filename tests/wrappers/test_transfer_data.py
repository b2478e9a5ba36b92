"""Where reward transfer's source data and policies come from, what is refused, and what a cached fit depends on."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import gymnasium as gym
import numpy as np
import pytest

from tests.wrappers.test_policies import policy
from transreward_baselines.data import BuildArgs, build
from transreward_envs import get_pair
from transreward_wrappers import Transitions
from transreward_wrappers.datasets.domain import require_domain
from transreward_wrappers.policies import GaussianPolicy, for_sizes, load_policy
from transreward_wrappers.policies.shipped import policies_root
from transreward_wrappers.reward_transfer import RewardTransfer, source_data
from transreward_wrappers.reward_transfer.coverage import Coverage
from transreward_wrappers.reward_transfer.settings import OF_POLICY, EstimatorName
from transreward_wrappers.reward_transfer.source_policies import shipped_mixture

HOPPER = get_pair("Hopper-mass-2.0")
TINY = {"fit_updates": 2, "value_updates": 2, "hidden": 8}


def gather(pair: Any = HOPPER, **settings: object) -> Transitions:
    return RewardTransfer(**settings).data().gather(pair.make("source"), pair)


def test_a_run_improves_on_random_actions_and_keeps_to_its_budget() -> None:
    data = gather(get_pair("HalfCheetah-broken-bthigh"), fit_budget=30_000, random_share=0.1, horizon=200)
    assert len(data) == 30_000
    assert data.reward[-5_000:].mean() > data.reward[:3_000].mean() + 0.05
    follows = np.all(data.next_observation[:-1] == data.observation[1:], axis=1)
    assert 1.0 - follows.mean() < 2.0 / 200.0
    assert np.all(np.abs(data.action) <= 1.0)


@pytest.mark.parametrize("budget", [1, 3, 20])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("kind", ["rollout", "policies"])
def test_a_run_ends_for_every_budget_and_share(kind: str, budget: int, share: float) -> None:
    pair = get_pair("InvertedPendulum-gravity-2.0")
    assert len(gather(pair, source_data=kind, fit_budget=budget, random_share=share, horizon=5)) == budget


def test_shipped_policies_act_from_random_to_expert() -> None:
    data = gather(source_data="policies", fit_budget=12_000, random_share=0.25)
    count = len(shipped_mixture(HOPPER))
    assert count >= 9
    rewards = [part.mean() for part in np.split(data.reward[: 3_000 + 9_000 // count * count], [3_000])]
    assert rewards[1] > rewards[0] + 0.3
    expert = data.reward[-9_000 // count + 50 :]
    assert expert.mean() > 2.0
    assert np.array_equal(data.reward, gather(source_data="policies", fit_budget=12_000, random_share=0.25).reward)


def test_shipped_policies_have_equal_shares_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    shares, plain = [], source_data.act

    def act(recorder: object, one: GaussianPolicy, generator: np.random.Generator, *, until: int) -> None:
        shares.append((one.digest(), until))
        plain(recorder, one, generator, until=until)

    monkeypatch.setattr(source_data, "act", act)
    gather(source_data="policies", fit_budget=400, random_share=0.1)
    mixture = shipped_mixture(HOPPER)
    ends = [40 + 360 * (index + 1) // len(mixture) for index in range(len(mixture))]
    assert shares == [(one.digest(), end) for one, end in zip(mixture, ends, strict=True)]


def test_actions_are_scaled_to_the_action_space() -> None:
    data = gather(get_pair("InvertedPendulum-mass-2.0"), source_data="policies", fit_budget=2_000, random_share=0.5)
    assert np.abs(data.action[:1_000]).max() > 2.5
    assert np.abs(data.action).max() <= 3.0


def test_a_policy_in_a_file_acts(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    replace(policy(observations=11, actions=3), log_std=np.full(3, -9.0, np.float32)).save(path)
    data = gather(source_data=str(path), fit_budget=60, random_share=0.5)
    told = policy(observations=11, actions=3).as_saved()(data.observation[30:])
    np.testing.assert_allclose(data.action[30:], told, atol=1e-2)
    assert not np.allclose(data.action[:30], policy(observations=11, actions=3)(data.observation[:30]), atol=0.1)


def test_a_source_without_policies_of_its_own_has_those_of_its_plain_robot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Hopper").mkdir()
    for path in (policies_root() / "Hopper").glob("Hopper-*.safetensors"):
        if path.stem.split("-")[1] in ("expert", "medium", "snapshot"):
            shutil.copy2(path, tmp_path / "Hopper" / path.name)
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path))
    mixture = shipped_mixture(get_pair("Hopper-dara-mass"))
    assert [one.digest() for one in mixture] == [one.digest() for one in shipped_mixture(HOPPER)]
    assert mixture[-1].digest() == load_policy("Hopper").digest()


def test_a_source_with_policies_of_its_own_has_those() -> None:
    pair = get_pair("Hopper-dara-mass")
    assert shipped_mixture(pair)[-1].digest() == load_policy(pair, "source").digest() != load_policy("Hopper").digest()


def test_a_robot_without_policies_says_what_else_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path))
    with pytest.raises(ValueError, match="needs policies of 'Hopper', and none ship.*transreward policies train"):
        gather(source_data="policies")
    env = gym.make(HOPPER.id("reward-transfer"), estimator="policy")
    with pytest.raises(
        ValueError, match="has no policy of level 'expert'.*Or give `source_policy` the file of a policy"
    ):
        env.reset(seed=0)


def test_a_policy_ignores_positions_and_past_actions_that_it_never_saw() -> None:
    plain, observations = load_policy("Hopper"), np.random.default_rng(0).normal(size=(5, 11))
    sparse, delayed = get_pair("Hopper-sparse-mass-0.5"), get_pair("Hopper-delay-1")
    with_position = np.concatenate([np.full((5, 1), 9.0), observations], axis=1)
    np.testing.assert_allclose(for_sizes(plain, sparse, 12, 3)(with_position), plain(observations), atol=1e-5)
    sizes = delayed.make("source").observation_space.shape[0]
    with_actions = np.concatenate([observations, np.full((5, sizes - 11), 9.0)], axis=1)
    assert sizes > 11
    np.testing.assert_allclose(for_sizes(plain, delayed, sizes, 3)(with_actions), plain(observations), atol=1e-5)


@pytest.mark.parametrize(("observations", "actions"), [(4, 3), (12, 3), (11, 2), (10, 3)])
def test_a_policy_of_another_robot_is_refused(observations: int, actions: int, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    policy(observations=observations, actions=actions).save(path)
    message = (
        rf"'Hopper-mass-2.0' has observations of 11 and actions of 3 numbers; got a policy with {observations} and"
    )
    for settings in ({"source_data": str(path)}, {"estimator": "policy", "source_policy": str(path)}):
        with pytest.raises(ValueError, match=message):
            gym.make(HOPPER.id("reward-transfer"), **TINY, **settings).reset(seed=0)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.safetensors")
    for settings in ({"source_data": missing}, {"estimator": "policy", "source_policy": missing}):
        with pytest.raises(FileNotFoundError, match="A policy is read from a file; there is no"):
            gym.make(HOPPER.id("reward-transfer"), **TINY, **settings).reset(seed=0)


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def test_a_dataset_is_taken_whole_by_id_or_folder(datasets: Path) -> None:
    pair = get_pair("InvertedPendulum-mass-2.0")
    built = build(BuildArgs(pair=pair.name, domain="source", quality="random", size=1_000))
    by_id = RewardTransfer(source_data=built.metadata["dataset_id"], **TINY)
    by_folder = RewardTransfer(source_data=str(built.directory), **TINY)
    assert by_id.fit_steps() == {"source": 1_000}
    assert by_id.fit_key(pair) == by_folder.fit_key(pair)
    data = by_id.data().gather(pair.make("source"), pair)
    np.testing.assert_array_equal(data.reward, built.transitions().rewards)
    assert not data.domain.any()
    env = gym.make(pair.id("reward-transfer"), source_data=str(built.directory), **TINY)
    env.reset(seed=0)
    assert env.get_wrapper_attr("diagnostics")["unexplained"] > 0.0


def test_a_dataset_of_another_robot_or_domain_is_refused(datasets: Path) -> None:
    pair = get_pair("InvertedPendulum-mass-2.0")
    target = build(BuildArgs(pair=pair.name, domain="target", quality="random", size=1_000))
    with pytest.raises(ValueError, match="is of 'InvertedPendulum-mass-2.0-target', and the source of"):
        gather(pair, source_data=str(target.directory))
    with pytest.raises(ValueError, match="must have its spaces; the observation space of .* Give another"):
        gather(source_data=str(target.directory))


def test_what_is_no_kind_of_data_says_which_there_are(datasets: Path) -> None:
    message = "`source_data` must be 'rollout' or 'policies', the path of a policy's file .* got 'polices'"
    with pytest.raises(ValueError, match=message):
        gather(source_data="polices")


def changed(pair: Any = HOPPER, **settings: object) -> dict[str, Any]:
    return RewardTransfer(**settings).fit_key(pair)


def test_a_fit_depends_on_the_source_and_on_nothing_of_the_target_or_the_weight() -> None:
    for estimator in get_args(EstimatorName):
        key = changed(estimator=estimator)
        assert changed(get_pair("Hopper-gravity-2.0"), estimator=estimator) == key
        for other in ({"lam": 0.9}, {"lam_mode": "annealed"}, {"anneal_steps": 7}, {"variance_steps": 7}):
            assert changed(estimator=estimator, **other) == key
    for name in ("Ant-mass-2.0", "Hopper-repeat-4to2", "Hopper-sparse-mass-0.5", "Hopper-dara-mass"):
        assert changed(get_pair(name)) != changed()
    dearer = replace(HOPPER, settings=(("ctrl_cost_weight", 0.5),))
    assert changed(dearer) != changed()
    assert RewardTransfer(fit_budget=123).fit_steps() == {"source": 123}
    for estimator in OF_POLICY:
        assert RewardTransfer(estimator=estimator).fit_steps() == {}


ALL = {"gamma": 0.9, "expectile": 0.8, "value_updates": 7, "fit_updates": 7, "hidden": 7, "members": 7, "batch_size": 7}
ALL |= {"learning_rate": 0.7, "seed": 7, "fit_budget": 7, "random_share": 0.7, "horizon": 7, "source_data": "policies"}
OF_REWARD = set(ALL) - {"gamma", "expectile", "value_updates"}
OF_VALUES = set(ALL) - {"fit_updates"}
OF_BASELINE = {"hidden", "seed"}


@pytest.mark.parametrize(
    ("estimator", "depends"),
    [
        ("reward", OF_REWARD),
        ("optimal", OF_VALUES),
        ("potential", OF_VALUES),
        ("policy", set()),
        ("imitation", OF_BASELINE),
    ],
)
def test_a_fit_depends_on_what_its_estimator_uses_and_on_nothing_else(estimator: str, depends: set[str]) -> None:
    key, takes = changed(estimator=estimator), dict(ALL)
    if estimator in OF_POLICY:
        del takes["source_data"]  # which it refuses
    assert {name for name, value in takes.items() if changed(estimator=estimator, **{name: value}) != key} == depends


def test_a_fit_depends_on_the_policies_and_the_data_that_it_used(tmp_path: Path, datasets: Path) -> None:
    keys = []
    for seed in range(2):
        path = tmp_path / "policy.safetensors"
        policy(seed, observations=11, actions=3).save(path)
        keys.append(changed(source_data=str(path)))
        keys.append(changed(estimator="policy", source_policy=str(path)))
        pair = get_pair("InvertedPendulum-mass-2.0")
        built = build(BuildArgs(pair=pair.name, domain="source", quality="random", size=1_000, seed=seed))
        keys.append(changed(pair, source_data=str(built.directory)))
    assert all(first != second for index, first in enumerate(keys) for second in keys[index + 1 :])


def test_coverage_is_that_of_the_sources_own_states_and_low_far_from_them() -> None:
    generator = np.random.default_rng(0)
    states = generator.standard_normal((4_000, 3)) * np.array([1.0, 100.0, 0.01])
    coverage = Coverage(3)
    coverage.fit(states[:3_000], states[3_000:], seed=0)
    fresh = generator.standard_normal((2_000, 3)) * np.array([1.0, 100.0, 0.01])
    assert 0.92 < coverage(fresh).mean() < 0.98
    assert not coverage(fresh + np.array([0.0, 0.0, 0.1])).any()


@pytest.mark.parametrize("count", [1, 2, 60, 600])
def test_few_states_cover_most_of_themselves(count: int) -> None:
    states = np.random.default_rng(0).standard_normal((count, 3))
    coverage = Coverage(3)
    coverage.fit(states, states, seed=0)
    assert coverage(states).mean() >= 0.5
    assert count < 60 or coverage(np.random.default_rng(1).standard_normal((500, 3))).mean() > 0.7


def test_a_state_of_known_features_that_never_went_together_is_not_covered() -> None:
    line = np.linspace(-1.0, 1.0, 2_000)
    states = np.random.default_rng(0).permutation(np.stack([line, line], axis=1))
    coverage = Coverage(2)
    coverage.fit(states[:1_500], states[1_500:], seed=0)
    assert coverage(np.array([[0.5, 0.5]])).all()
    assert not coverage(np.array([[0.5, -0.5]])).any()


def test_a_search_without_a_share_of_random_actions_knows_its_inputs_all_the_same() -> None:
    data = gather(get_pair("HalfCheetah-broken-bthigh"), fit_budget=2_000, random_share=0.0)
    assert np.abs(data.action[:500]).mean() == pytest.approx(0.5, abs=0.03), "uniform at first"
    assert (np.abs(data.action[500:]) == 1.0).mean() < 0.05


def test_what_follows_a_failure_of_the_physics_is_no_transition() -> None:
    source, failures = HOPPER.make("source"), []
    step = source.unwrapped.step

    def fail(action: np.ndarray) -> tuple:
        if source.unwrapped.data.time > 0.1 and len(failures) < 3:
            failures.append(action)
            source.unwrapped.data.qvel[0] = np.nan
        return step(action)

    source.unwrapped.step = fail
    data = RewardTransfer(fit_budget=600).data().gather(source, HOPPER)
    assert len(failures) == 3
    assert len(data) == 600
    assert not any((data.action == action).all(axis=1).any() for action in failures)


def test_settings_are_strings_where_they_name_something(tmp_path: Path) -> None:
    for name, value in (("source_data", None), ("source_data", 3), ("source_policy", 3), ("fitted", 3.0)):
        with pytest.raises(TypeError, match=f"`{name}` must be a string"):
            RewardTransfer(**{name: value, **({"estimator": "policy"} if name == "source_policy" else {})})
    with pytest.raises(ValueError, match="`source_data` is what the other estimators are fitted to; .* got it as 'x'"):
        RewardTransfer(estimator="policy", source_data="x")


def test_a_dataset_with_other_actions_is_refused_in_words(datasets: Path) -> None:
    other = build(BuildArgs(pair="HalfCheetah-mass-2.0", domain="source", quality="random", size=1_000))
    walker = get_pair("Walker2d-mass-2.0").make("source")
    hopper = HOPPER.make("source")
    walker.unwrapped.action_space = hopper.action_space
    with pytest.raises(ValueError, match="must have its spaces; the action space of .* Give another as `source_data`"):
        require_domain(other, walker, get_pair("Walker2d-mass-2.0"), "source", setting="source_data")
