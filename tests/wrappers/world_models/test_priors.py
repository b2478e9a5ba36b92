"""Initial-state priors: what a run of observations, at whatever pace, says of the state at its end."""

from pathlib import Path

import pytest
import torch

from tests.wrappers.world_models.systems import linear_store
from tests.wrappers.world_models.test_models import fitted_tiny, runs
from transreward_wrappers.world_models import LSTMPrior, StaleModelError, make_prior
from transreward_wrappers.world_models.model import AnyModel

SMALL = {"hidden": 48, "updates": 400}


@pytest.fixture(scope="module")
def lstm(models: dict[str, AnyModel]) -> LSTMPrior:
    prior = make_prior("lstm", models["rssm"], **SMALL)
    assert prior.fit(linear_store()) < 0.5  # of the beliefs' variance
    return prior


def test_where_the_observation_is_the_state_the_last_one_is_the_guess(ensemble: AnyModel) -> None:
    seen, _ = runs(5, 6)
    guess = make_prior("identity", ensemble)(seen)
    torch.testing.assert_close(guess.mean, seen[:, -1])
    assert bool((guess.std > 0.0).all())
    twice = make_prior("identity", ensemble, scale=2.0)(seen)
    torch.testing.assert_close(twice.std, 2.0 * guess.std)
    none = make_prior("identity", ensemble, scale=0.0)(seen)
    draws = none.sample(3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws, seen[:, -1:].expand(-1, 3, -1))


def test_a_run_tells_more_of_the_belief_than_nothing_does_at_any_pace(lstm: LSTMPrior, rssm: AnyModel) -> None:
    seen, actions = runs(60, 13)
    belief = rssm.settings.belief
    true = rssm.infer(seen, actions)[:, :belief]
    spread = float((true - true.mean(dim=0)).square().mean())
    for stride in (1, 2, 3):
        guess = lstm(seen[:, ::stride])
        assert guess.mean.shape == guess.std.shape == (60, rssm.state_size)
        assert float((guess.mean[:, :belief] - true).square().mean()) < 0.7 * spread


def test_it_learns_from_parts_of_windows_in_order_at_any_stride_up_to_the_end(lstm: LSTMPrior, rssm: AnyModel) -> None:
    data, _ = linear_store().split()
    length, strides = rssm.settings.length, set()
    windows = data.windows(data.starts(length)[:8], length)
    for seed in range(10):
        runs_of, _ = lstm._task(windows, torch.Generator().manual_seed(seed))
        seen = rssm.network.scales.restore(runs_of)
        for row, run in enumerate(seen):
            distance = torch.cdist(run, windows.observations[row])
            at = distance.argmin(dim=1)
            assert float(distance.amin(dim=1).max()) < 1e-4
            assert int(at[-1]) == int(windows.mask[row].sum())  # the observation after the last step
            strides |= set(at.diff().tolist()) if int(at[0]) > 0 else set()
    assert strides == {1, 2, 3}


def test_draws_are_spread_as_the_guess_says(lstm: LSTMPrior) -> None:
    guess = lstm(runs(2, 5)[0])
    draws = guess.sample(4_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(dim=1), guess.mean, atol=0.05, rtol=0.1)
    torch.testing.assert_close(draws.std(dim=1), guess.std, atol=0.01, rtol=0.1)


def test_a_prior_comes_back_bit_for_bit_and_only_for_its_own_model(
    lstm: LSTMPrior, rssm: AnyModel, tmp_path: Path
) -> None:
    lstm.save(tmp_path / "prior.safetensors")
    again = make_prior("lstm", rssm, **SMALL)
    again.load(tmp_path / "prior.safetensors")
    seen, _ = runs(3, 4)
    assert torch.equal(again(seen).mean, lstm(seen).mean)
    other = make_prior("lstm", fitted_tiny("rssm", linear_store(episodes=10)), **SMALL)
    with pytest.raises(StaleModelError) as caught:
        other.load(tmp_path / "prior.safetensors")
    assert "domain_of" not in str(caught.value), "a prior is of a model, not of a domain"


def test_priors_that_cannot_be_are_refused(ensemble: AnyModel, rssm: AnyModel) -> None:
    with pytest.raises(RuntimeError, match="A prior must be fitted or loaded before it is used"):
        make_prior("lstm", rssm)(runs(1, 3)[0])
    with pytest.raises(ValueError, match="The prior 'lstm' is for recurrent models"):
        make_prior("lstm", ensemble)
    with pytest.raises(ValueError, match="Unknown initial-state prior 'lstn'. Did you mean 'lstm'"):
        make_prior("lstn", rssm)
    with pytest.raises(ValueError, match="Unknown setting of the prior 'identity' 'scal'"):
        make_prior("identity", ensemble, scal=1.0)
    with pytest.raises(ValueError, match="Unknown setting of LSTMPrior 'hiden'"):
        make_prior("lstm", rssm, hiden=3)
