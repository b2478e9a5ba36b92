"""Both world models behind one protocol: what they take and give, what they learn, and what they refuse."""

import math
import warnings

import numpy as np
import pytest
import torch

from tests.wrappers.world_models.systems import ACTION, SETTINGS, STATE, TINY, linear_episode, linear_store
from transreward_wrappers.world_models import (
    MODELS,
    EpisodeStore,
    HorizonWarning,
    PoorModelWarning,
    WorldModel,
    make_world_model,
)
from transreward_wrappers.world_models.model import AnyModel

HORIZON = 25


def tiny(kind: str, **settings: object) -> AnyModel:
    return make_world_model(kind, 3, 2, **{**TINY[kind], **settings})


def fit(model: AnyModel, store: EpisodeStore, **settings: int) -> AnyModel:
    """Fit a model that may well be too poor to plan with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorModelWarning)
        model.fit(store, **settings)
    return model


def fitted_tiny(kind: str, store: EpisodeStore, **settings: object) -> AnyModel:
    return fit(tiny(kind, **settings), store)


def some_actions(count: int, horizon: int = HORIZON, seed: int = 1) -> torch.Tensor:
    return 2.0 * torch.rand(count, horizon, 2, generator=torch.Generator().manual_seed(seed)) - 1.0


def runs(count: int, length: int, *, seed: int = 1_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Return runs of observations of the system, ``(count, length, 3)``, and the actions between them."""
    episodes = [linear_episode(seed + index, length) for index in range(count)]
    seen = torch.tensor(np.array([episode.observations for episode in episodes]), dtype=torch.float32)
    return seen[:, :length], torch.tensor(np.array([episode.actions for episode in episodes]))[:, : length - 1]


def test_a_model_keeps_to_the_protocol(model: AnyModel) -> None:
    as_protocol: WorldModel = model
    seen, actions = runs(4, 6)
    states = as_protocol.infer(seen, actions)
    assert states.shape == (4, as_protocol.state_size)
    observations, spread = as_protocol.rollout(states, some_actions(4))
    assert observations.shape == (4, HORIZON, as_protocol.observation_size)
    assert spread.shape == (4, HORIZON)
    assert as_protocol.draft(states, some_actions(4)).shape == observations.shape
    assert bool((spread > 0.0).all())
    assert {tensor.dtype for tensor in (states, observations, spread)} == {torch.float32}


def test_a_known_linear_system_is_learnt_to_a_small_error(model: AnyModel) -> None:
    seen, between = runs(20, 8)
    actions = some_actions(20)
    imagined, _ = model.rollout(model.infer(seen, between), actions)
    state = seen[:, -1].numpy()
    for step in range(HORIZON):
        state = state @ STATE.T + actions[:, step].numpy() @ ACTION.T
        error = imagined[:, step].numpy() - state
        assert math.sqrt((error**2).mean()) < 0.12, step


def test_the_report_tells_the_error_against_predicting_no_change(model: AnyModel) -> None:
    report = model.report
    assert report is not None
    assert report.horizon == HORIZON
    assert all(ratio < 0.02 for ratio in report.ratios("random").values())
    assert report.fitted_steps == 18 * 50
    assert len(report.spread) == 4
    assert "random" in str(report)


def test_imagining_many_is_imagining_each(model: AnyModel) -> None:
    states, actions = model.infer(*runs(7, 5)), some_actions(7)
    together = model.rollout(states, actions)
    for row in range(7):
        alone = model.rollout(states[row : row + 1], actions[row : row + 1])
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], many[row], atol=1e-5, rtol=1e-4)


def test_imagining_further_begins_with_what_is_imagined_less_far(model: AnyModel) -> None:
    states, actions = model.infer(*runs(3, 5)), some_actions(3)
    short, long = model.rollout(states, actions[:, :10]), model.rollout(states, actions)
    for one, other in zip(short, long, strict=True):
        torch.testing.assert_close(one, other[:, :10], atol=1e-5, rtol=1e-4)


def test_one_state_stands_for_all_rows_of_actions(model: AnyModel) -> None:
    state, actions = model.infer(*runs(1, 5)), some_actions(6)
    for one, other in zip(model.rollout(state, actions), model.rollout(state.expand(6, -1), actions), strict=True):
        assert torch.equal(one, other)


def test_a_draft_is_near_to_what_is_imagined_in_full(model: AnyModel) -> None:
    for count in (1, 5, 8):
        states, actions = model.infer(*runs(count, 5)), some_actions(count)
        torch.testing.assert_close(model.draft(states, actions), model.rollout(states, actions)[0], atol=0.3, rtol=0.0)


def test_imagination_stays_in_the_range_of_the_data(model: AnyModel) -> None:
    far = 1e3 * torch.ones(4, model.state_size)
    imagined, _ = model.rollout(far, some_actions(4))
    data = linear_store().split()[0].observations
    assert bool((imagined <= data.amax(dim=0) + 1e-3).all())
    assert bool((imagined >= data.amin(dim=0) - 1e-3).all())


def test_members_that_agree_on_a_bound_only_because_they_are_clipped_still_differ(ensemble: AnyModel) -> None:
    _, spread = ensemble.rollout(torch.tensor([[50.0, 50.0, 50.0]]), some_actions(1, 1))
    assert float(spread) > 0.1


def test_an_ensemble_is_less_sure_where_it_has_no_data() -> None:
    narrow = fit(make_world_model("ensemble", 3, 2, **SETTINGS["ensemble"]), linear_store(most=0.2), updates=200)
    seen, between = runs(40, 5)
    states = narrow.infer(seen, 0.2 * between)
    _, known = narrow.rollout(states, 0.2 * some_actions(40, 5))
    _, unknown = narrow.rollout(states, some_actions(40, 5).sign())
    assert float(unknown.mean()) > 1.5 * float(known.mean())


@pytest.mark.parametrize("kind", MODELS)
def test_equal_seeds_give_equal_models_and_others_do_not(kind: str) -> None:
    store = linear_store(episodes=10)
    digests = [fitted_tiny(kind, store, seed=seed).digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1]
    one, _, other = (fitted_tiny(kind, store, seed=seed).network.state_dict() for seed in (0, 0, 1))
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", MODELS)
def test_a_fit_leaves_the_global_generator_as_it_was(kind: str) -> None:
    before = torch.get_rng_state()
    fitted_tiny(kind, linear_store(episodes=10))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", MODELS)
def test_a_fit_that_goes_on_keeps_weights_and_scales_and_widens_the_range(kind: str) -> None:
    model, store = fitted_tiny(kind, linear_store(episodes=10)), linear_store(episodes=10)
    mean = model.network.scales.mean.clone()
    store.add(linear_episode(77, 80, most=1.0))
    with pytest.warns(PoorModelWarning):
        model.fit(store, updates=0, afresh=False)
    assert torch.equal(model.network.scales.mean, mean)
    data = store.split()[0].observations
    highest = data.amax(dim=0)
    torch.testing.assert_close(model.network.scales.restore(model.network.scales.high), highest)
    lowest = data.amin(dim=0) - 5.0  # of data that are gone
    model.network.scales.low.copy_(model.network.scales.normalise(lowest))
    with pytest.warns(PoorModelWarning):
        model.fit(linear_store(episodes=10), updates=0, afresh=False)  # what reached so far has been dropped
    torch.testing.assert_close(model.network.scales.restore(model.network.scales.high), highest)
    torch.testing.assert_close(model.network.scales.restore(model.network.scales.low), lowest)
    weights = {name: value.clone() for name, value in model.network.named_parameters()}
    with pytest.warns(PoorModelWarning):
        model.fit(store, updates=1, afresh=False)
    moved = [float((value - weights[name]).detach().abs().max()) for name, value in model.network.named_parameters()]
    assert 0.0 < max(moved) < 0.01


@pytest.mark.parametrize("kind", MODELS)
def test_a_feature_that_never_changes_stays_as_it_is(kind: str) -> None:
    store = EpisodeStore(4, 2)
    for seed in range(10):
        episode = linear_episode(seed, 40)
        fixed = np.full((41, 1), 7.0)
        store.add(type(episode)(**{**_fields(episode), "observations": np.hstack([episode.observations, fixed])}))
    model = fit(make_world_model(kind, 4, 2, **TINY[kind]), store)
    imagined, spread = model.rollout(model.infer(torch.full((2, 1, 4), 7.0)), some_actions(2))
    assert bool((imagined[..., 3] == 7.0).all())
    assert bool(spread.isfinite().all())


def _fields(episode: object) -> dict[str, object]:
    return {name: getattr(episode, name) for name in ("observations", "actions", "rewards", "terminated")}


def test_a_model_too_poor_to_plan_with_says_so() -> None:
    with pytest.warns(PoorModelWarning, match=r"its error 25 steps ahead, .* is .* on 'random'.*more `updates`"):
        tiny("ensemble", updates=0).fit(linear_store())


def test_a_model_that_nothing_could_judge_says_so() -> None:
    store = EpisodeStore(3, 2)
    store.add(linear_episode(0, 12))
    model = tiny("ensemble")
    with pytest.warns(PoorModelWarning, match="too few held-out steps tell how good it is"):
        report = model.fit(store)
    assert report.horizon == 0
    with pytest.warns(
        HorizonWarning, match="for 0 steps ahead, and is asked for 1. Plan in shorter pieces, or give it"
    ):
        model.rollout(torch.zeros(1, 3), torch.zeros(1, 1, 2))


def test_a_horizon_beyond_what_was_validated_is_told(model: AnyModel) -> None:
    state = model.infer(*runs(1, 3))
    with pytest.warns(HorizonWarning, match=r"for 25 steps ahead, and is asked for 26\. Plan in shorter pieces\.$"):
        model.rollout(state, some_actions(1, 26))


def test_a_kind_of_short_episodes_is_judged_as_far_as_it_reaches() -> None:
    store = linear_store()
    store.add((linear_episode(seed, 12) for seed in range(100)), kind="short")
    report = fitted_tiny("ensemble", store).report
    assert report is not None
    assert list(report.ratios("short")) == [1, 5, 10]
    assert list(report.ratios("random")) == [1, 5, 10, 25]


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_is_not_fitted_says_so(kind: str) -> None:
    with pytest.raises(RuntimeError, match="must be fitted or loaded before it is used"):
        tiny(kind).infer(torch.zeros(1, 1, 3))


def test_shapes_that_do_not_fit_are_refused(model: AnyModel) -> None:
    with pytest.raises(ValueError, match=r"\(B, L, 3\) with L > 0; got \(2, 3\)"):
        model.infer(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"must be \(2, 3, 2\); got \(2, 4, 2\)"):
        model.infer(torch.zeros(2, 4, 3), torch.zeros(2, 4, 2))
    with pytest.raises(ValueError, match=r"must be \(N, H, 2\) with H > 0; got \(4, 0, 2\)"):
        model.rollout(torch.zeros(1, model.state_size), torch.zeros(4, 0, 2))
    with pytest.raises(ValueError, match=r"or one for each row of actions, \(4, .*got \(3, "):
        model.rollout(torch.zeros(3, model.state_size), torch.zeros(4, 5, 2))


def test_numbers_that_are_none_are_refused(model: AnyModel) -> None:
    with pytest.raises(ValueError, match="must be finite; some of these are NaN"):
        model.infer(torch.full((1, 2, 3), torch.nan))


def test_episodes_of_other_sizes_are_refused(model: AnyModel) -> None:
    with pytest.raises(ValueError, match=r"of \(3, 2\) numbers needs episodes of these sizes; got \(4, 2\)"):
        model.fit(EpisodeStore(4, 2))


def test_a_loss_that_is_no_number_ends_the_fit() -> None:
    with pytest.raises(FloatingPointError, match=r"ensemble world model must be finite; it is .*Lower `learning_rate`"):
        tiny("ensemble", learning_rate=1e30).fit(linear_store())


def test_an_unknown_kind_or_setting_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Unknown world model 'ensembel'. Did you mean 'ensemble'?"):
        make_world_model("ensembel", 3, 2)
    with pytest.raises(ValueError, match="Unknown setting of Ensemble 'member'. Did you mean 'members'?"):
        make_world_model("ensemble", 3, 2, member=3)


@pytest.mark.parametrize(
    ("kind", "setting", "value", "error", "rule"),
    [
        ("ensemble", "members", 1, ValueError, "`members` must be an integer >= 2"),
        ("ensemble", "unrolled", 1.5, ValueError, r"`unrolled` must lie in \[0, 1\]"),
        ("ensemble", "unroll", 0, ValueError, "`unroll` must be an integer >= 1"),
        ("ensemble", "learning_rate", 0.0, ValueError, "`learning_rate` must be finite and > 0"),
        ("ensemble", "updates", -1, ValueError, "`updates` must be an integer >= 0"),
        ("rssm", "belief", 0, ValueError, "`belief` must be an integer >= 1"),
        ("rssm", "balance", -0.1, ValueError, "`balance` must be finite and >= 0"),
        ("rssm", "reward", 1, TypeError, "`reward` must be a bool"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(
    kind: str, setting: str, value: object, error: type[Exception], rule: str
) -> None:
    with pytest.raises(error, match=rule):
        make_world_model(kind, 3, 2, **{setting: value})


def test_the_spread_is_the_deviation_of_members_in_deviations_of_observations() -> None:
    model = fitted_tiny("ensemble", linear_store(), updates=5)
    states, actions = torch.tensor([[0.3, -0.2, 0.1]]), some_actions(6, 1)
    _, spread = model.rollout(states, actions)
    network = model.network
    rows = network.scales.normalise(states).expand(network.change.weights[0].shape[0], 6, -1)
    with torch.no_grad():
        members = rows + network.scales.change * network.change(
            torch.cat([rows, actions[:, 0].expand(len(rows), -1, -1)], dim=-1)
        )
    torch.testing.assert_close(spread[:, 0], members.var(dim=0).mean(dim=-1).sqrt())
