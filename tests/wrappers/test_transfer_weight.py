"""lam by its modes, and the counts that it depends on, alone and with other processes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.transitions import some_transitions
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.tally import FLUSH_EVERY, Tally
from transreward_wrappers.reward_transfer.weight import Weight

deviations = st.floats(0.0, 100.0)


def weight(mode: str, *, lam: float = 1.0, spread: object = (1.0,), **changes: object) -> object:
    given_ = {"unit": 1.0, "steps": 0, "source_deviation": 1.0, "target_deviation": 1.0, **changes}
    return Weight(lam=lam, mode=mode, anneal_steps=100)(np.array(spread), **given_)


@given(
    lam=st.floats(0.0, 5.0),
    spread=st.floats(0.0, 1e6),
    steps=st.integers(0, 1000),
    source=deviations,
    target=deviations,
)
@pytest.mark.parametrize("mode", ["constant", "annealed", "similarity", "variance"])
def test_no_weight_leaves_zero_to_lam(
    mode: str, lam: float, spread: float, steps: int, source: float, target: float
) -> None:
    found = weight(mode, lam=lam, spread=(spread,), steps=steps, source_deviation=source, target_deviation=target)
    assert 0.0 <= float(np.max(found)) <= lam


def test_a_weight_is_annealed_linearly_to_zero_and_stays_there() -> None:
    assert [weight("annealed", lam=2.0, steps=steps) for steps in (0, 25, 100, 101)] == [2.0, 1.5, 0.0, 0.0]


def test_similarity_is_full_on_data_like_the_sources_and_falls_by_the_ensembles_variance() -> None:
    found = weight("similarity", lam=0.8, spread=[0.0, 0.5, 1.0, 2.0, 10.0])
    np.testing.assert_allclose(found, [0.8, 0.8, 0.8, 0.2, 0.008])
    np.testing.assert_allclose(weight("similarity", spread=[6.0], unit=3.0), [0.25])
    np.testing.assert_allclose(weight("similarity", spread=[0.1], unit=0.05), [0.25])


def test_variance_is_full_while_the_targets_rewards_are_all_alike_and_half_where_they_vary_as_the_sources() -> None:
    assert weight("variance", lam=0.5, target_deviation=None) == 0.5
    assert weight("variance", lam=0.5, target_deviation=0.0) == 0.5
    assert weight("variance", lam=0.5, source_deviation=3.0, target_deviation=3.0) == 0.25
    assert weight("variance", lam=1.0, source_deviation=1.0, target_deviation=9.0) == pytest.approx(0.1)


def test_variance_takes_the_deviation_of_the_first_rewards_and_keeps_it() -> None:
    method = RewardTransfer(lam=1.0, lam_mode="variance", variance_steps=40, fit_updates=20, hidden=8)
    method.bind(3, 2)
    data = some_transitions(500)
    method.learn(data)
    full = RewardTransfer(lam=1.0, fit_updates=20, hidden=8)
    full.bind(3, 2)
    full.learn(data)
    batches = [some_transitions(20, seed=seed) for seed in range(4)]
    shares = []
    for batch in batches:
        shares.append(float(np.mean(method(batch) / full(batch))))
        method.update(batch)
    source, target = data.reward.std(), np.concatenate([batch.reward for batch in batches[:2]]).std()
    np.testing.assert_allclose(shares, [1.0, 1.0, *[source / (source + target)] * 2])


@given(rewards=st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=30))
def test_a_deviation_is_that_of_all_measured_rewards(rewards: list[float]) -> None:
    tally = Tally(len(rewards))
    for reward in rewards:
        assert tally.deviation is None
        tally.add_rewards(np.array([reward]))
        tally.add(steps=1)
    assert tally.deviation == pytest.approx(np.std(rewards), abs=1e-5)


def test_processes_that_share_a_tally_see_one_another_and_agree_on_the_deviation(tmp_path: Path) -> None:
    first, second = Tally(3 * FLUSH_EVERY), Tally(3 * FLUSH_EVERY)
    for tally in (first, second):
        tally.share(tmp_path / "shared" / "tally.json")
    generator = np.random.default_rng(0)
    rewards = generator.standard_normal((4, FLUSH_EVERY))
    for tally, part in ((first, rewards[0]), (second, rewards[1]), (first, rewards[2])):
        assert tally.deviation is None
        tally.add_rewards(part)
        tally.add(steps=FLUSH_EVERY)
    second.add(steps=1)
    assert (first.steps, second.steps) == (3 * FLUSH_EVERY, 2 * FLUSH_EVERY + 1)
    second.flush()
    assert second.steps == 3 * FLUSH_EVERY + 1
    assert first.deviation == second.deviation == pytest.approx(rewards[:3].std())
    second.add_rewards(rewards[3])
    assert Tally(1).mean("steps", per="looked_up") is None


def test_a_late_process_takes_over_what_was_counted_and_a_restored_one_tells_all(tmp_path: Path) -> None:
    first, alone = Tally(10), Tally(10)
    first.share(tmp_path / "tally.json")
    first.add(steps=5)
    first.flush()
    late = Tally(10)
    late.share(tmp_path / "tally.json")
    assert late.steps == 5
    alone.add_rewards(np.arange(12.0))
    alone.add(steps=12)
    late.restore(alone.state())
    first.flush()
    assert (first.steps, first.deviation) == (12, alone.deviation)


def test_methods_that_share_a_folder_anneal_together(tmp_path: Path) -> None:
    methods = []
    for _ in range(2):
        method = RewardTransfer(lam=1.0, lam_mode="annealed", anneal_steps=4 * FLUSH_EVERY, hidden=8)
        method.bind(3, 2)
        method.share(tmp_path)
        methods.append(method)
    batch = some_transitions(FLUSH_EVERY)
    full = methods[0](batch)
    for method in methods:
        method.update(batch)
    np.testing.assert_allclose(methods[1](batch), 0.5 * full)


def test_processes_that_share_a_tally_know_a_deviation_when_it_is_flushed(tmp_path: Path) -> None:
    alone, shared = Tally(10), Tally(10)
    shared.share(tmp_path / "tally.json")
    rewards = some_transitions(FLUSH_EVERY + 2).reward
    for tally, known_at in ((alone, 10), (shared, FLUSH_EVERY)):
        deviation = pytest.approx(rewards[:known_at].std())
        for steps, reward in enumerate(rewards, start=1):
            foreseen = tally.deviation_with(np.array([reward]))
            tally.add_rewards(np.array([reward]))
            tally.add(steps=1)
            assert tally.deviation == foreseen
            assert tally.deviation == (None if steps < known_at else deviation)
