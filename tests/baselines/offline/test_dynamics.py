"""World models of many runs: what they predict, how unsure they say that they are, and how they are fitted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from tests.baselines.offline.conftest import FIRST, SECOND
from transreward_baselines.offline import fitting
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.dynamics import LIMIT_WEIGHT, Dynamics, Prediction
from transreward_baselines.offline.fitting import Fit, FitSettings
from transreward_baselines.offline.streams import Streams
from transreward_baselines.run_directory import RunDirectoryError
from transreward_wrappers.errors import CorruptFileError

CPU = torch.device("cpu")
RUNS = [FIRST, SECOND, f"{FIRST}+{SECOND}"]


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def make_fit(names: list[str], seeds: list[int], *, updates: int = 60, **changes: Any) -> Fit:
    data, streams = OfflineData(names, device=CPU), Streams(seeds, CPU)
    dynamics = Dynamics(seeds, [4, 16, 16, 1], members=3, elites=2)
    return Fit(dynamics, data, streams, FitSettings(**{"updates": updates, "batch_size": 32, **changes}))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "JUDGED_EVERY", 20)


@pytest.fixture
def measured() -> tuple[Dynamics, OfflineData]:
    """Models of two runs with the scales of their data, and these."""
    fit = make_fit([FIRST, SECOND], [3, 4])
    return fit.dynamics, fit.data


def test_predictions_are_scaled_so_that_the_mean_change_squared_and_the_rewards_variance_are_one(
    measured: tuple[Dynamics, OfflineData],
) -> None:
    dynamics, data = measured
    for run in range(2):
        where = data.whole(run)[None, None].expand(2, 1, -1)
        seen, paid, following = (data.arrays[name][where] for name in ("observations", "rewards", "next_observations"))
        truth = dynamics.truth(seen, paid, following)[run, 0]
        torch.testing.assert_close(truth[:, :-1].square().mean(dim=0), torch.ones(4), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(truth[:, -1].std(), torch.tensor(1.0), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(truth[:, -1].mean(), torch.tensor(0.0), rtol=0.0, atol=1e-3)


def test_the_loss_is_minus_the_log_density_of_normal_laws(measured: tuple[Dynamics, OfflineData]) -> None:
    dynamics, _ = measured
    seen, done, truth = numbers(2, 3, 7, 4), numbers(2, 3, 7, 1).tanh(), numbers(2, 3, 7, 5, seed=1)
    found = dynamics.predict(seen, done)
    law = Normal(found.means, found.log_std.exp())
    density = law.log_prob(truth) + 0.5 * torch.log(torch.tensor(2.0 * torch.pi))
    least, most = (side.detach().unflatten(0, (2, 3)).sum(dim=(1, 2, 3)) for side in dynamics.limits)
    expected = -density.mean(dim=(2, 3)).sum(dim=1) + LIMIT_WEIGHT * (most - least)
    torch.testing.assert_close(dynamics.loss(found, truth), expected, rtol=1e-4, atol=1e-4)


def test_members_say_of_common_steps_what_they_say_of_their_own(measured: tuple[Dynamics, OfflineData]) -> None:
    dynamics, _ = measured
    seen, done = numbers(2, 7, 4), numbers(2, 7, 1).tanh()
    common = dynamics.predict(seen, done)
    own = dynamics.predict(seen[:, None].expand(-1, 3, -1, -1), done[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(common.means, own.means)
    torch.testing.assert_close(common.log_std, own.log_std)
    assert (common.means[:, 0] - common.means[:, 1]).abs().max() > 1e-3


def test_uncertainty_is_the_largest_length_of_a_members_deviations_in_the_domains_units(
    measured: tuple[Dynamics, OfflineData],
) -> None:
    dynamics, _ = measured
    prediction = dynamics.predict(numbers(2, 7, 4), numbers(2, 7, 1).tanh())
    found = dynamics.uncertainty(prediction)
    scales = dynamics.scales
    for run in range(2):
        units = torch.cat([(scales.std * scales.change)[run, 0, 0], dynamics.reward_std[run, 0, 0]]).tolist()
        for row in range(7):
            lengths = []
            for member in range(3):
                std = prediction.log_std[run, member, row].exp().tolist()
                lengths.append(sum((one * unit) ** 2 for one, unit in zip(std, units, strict=True)) ** 0.5)
            assert found[run, row].item() == pytest.approx(max(lengths), rel=1e-5)


def test_each_row_is_drawn_by_one_elite_from_its_law(measured: tuple[Dynamics, OfflineData]) -> None:
    dynamics, _ = measured
    dynamics.elites.copy_(torch.tensor([[2, 0], [1, 2]]))
    means = torch.arange(3.0)[None, :, None, None].expand(2, -1, 6, 5)
    prediction = Prediction(means=means, log_std=torch.zeros(2, 3, 6, 5))
    seen, choice = torch.zeros(2, 6, 4), torch.tensor([[0.0, 0.49, 0.5, 0.99, 0.2, 0.7]]).expand(2, -1)
    noise = numbers(2, 6, 5)
    following, rewards = dynamics.draw(seen, prediction, choice, noise)
    units = (dynamics.scales.std * dynamics.scales.change)[:, 0]
    members = (following / units - noise[..., :4]).mean(dim=-1)
    expected = torch.tensor([[2.0, 2.0, 0.0, 0.0, 2.0, 0.0], [1.0, 1.0, 2.0, 2.0, 1.0, 2.0]])
    torch.testing.assert_close(members, expected, atol=1e-4, rtol=0.0)
    paid = (expected + noise[..., 4]) * dynamics.reward_std[:, 0, :, 0] + dynamics.reward_mean[:, 0, :, 0]
    torch.testing.assert_close(rewards, paid)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("run", range(3))
def test_a_model_among_others_is_fitted_as_it_is_alone(run: int) -> None:
    together, alone = make_fit(RUNS, [5, 6, 7]), make_fit([RUNS[run]], [5 + run])
    for fit in (together, alone):
        fit.go(None, {}, quiet=True)
    mine = slice(3 * run, 3 * run + 3)
    for first, second in zip(together.dynamics.parameters(), alone.dynamics.parameters(), strict=True):
        torch.testing.assert_close(first[mine], second, rtol=1e-3, atol=1e-5)
    assert torch.equal(together.dynamics.elites[run], alone.dynamics.elites[0])
    torch.testing.assert_close(together.errors[run], alone.errors[0], rtol=1e-3, atol=1e-4)


def test_no_transition_that_is_held_out_is_fitted_to_and_all_others_may_be() -> None:
    fit = make_fit(RUNS, [5, 6, 7])
    drawn = torch.cat([fit._batch().flatten(1) for _ in range(100)], dim=1)
    for run in range(3):
        own, held = set(fit.data.whole(run).tolist()), set(fit._held[run].tolist())
        assert len(held) == int(fit.data.sizes[run]) // fitting.HELD_OUT
        assert set(drawn[run].tolist()) == own - held


def test_a_fit_finds_a_linear_system_its_noise_and_its_reward() -> None:
    fit = make_fit([FIRST], [0], updates=1_500, batch_size=128)
    data, generator = fit.data, torch.Generator().manual_seed(0)
    seen, done = data.arrays["observations"], data.arrays["actions"]
    noise = torch.randn(seen.shape, generator=generator) * torch.tensor([0.5, 0.05, 0.05, 0.05])
    data.arrays["next_observations"][:] = 0.5 * seen + done + noise
    data.arrays["rewards"][:] = seen[:, 0] + 2.0 * done[:, 0]
    fit = Fit(fit.dynamics, data, fit.streams, fit.settings)
    fit.go(None, {}, quiet=True)
    assert (fit.errors[0, :, 1] < 0.05).all()
    prediction = fit.dynamics.predict(seen[None], done[None])
    std = (prediction.log_std.exp() * fit.dynamics._units()).mean(dim=(0, 1, 2)).tolist()
    assert std[0] == pytest.approx(0.5, rel=0.35)
    assert max(std[1:4]) < 0.25


def test_elites_are_the_members_that_predict_held_out_data_best_and_weights_their_best() -> None:
    fit = make_fit([FIRST], [0], updates=3)
    history = []
    for _ in range(3):
        fit._update()
        before = fit.errors.sum(dim=-1)
        fit._judge()
        history.append(fit.errors.sum(dim=-1))
        assert (history[-1] <= before).all()
    kept = [parameter.clone() for parameter in fit.best.parameters()]
    with torch.no_grad():
        for parameter in fit.dynamics.parameters():
            parameter.add_(1.0)
    fit._judge()
    assert torch.equal(fit.errors.sum(dim=-1), history[-1])
    fit._finish()
    for parameter, best in zip(fit.dynamics.parameters(), kept, strict=True):
        assert torch.equal(parameter, best)
    worst = int(history[-1][0].argmax())
    assert worst not in fit.dynamics.elites[0].tolist()


@pytest.mark.usefixtures("often")
def test_a_fit_goes_on_where_it_was_killed_and_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, path = make_fit(RUNS, [5, 6, 7]), tmp_path / "models.safetensors"
    whole.go(None, {"a": 1}, quiet=True)
    killed = make_fit(RUNS, [5, 6, 7])
    update = killed._update

    def update_until(step: int) -> None:
        if killed.step == step:
            raise KeyboardInterrupt
        update()

    monkeypatch.setattr(killed, "_update", lambda: update_until(45))
    with pytest.raises(KeyboardInterrupt):
        killed.go(path, {"a": 1}, quiet=True)
    resumed = make_fit(RUNS, [5, 6, 7])
    resumed.go(path, {"a": 1}, quiet=True)
    for first, second in zip(whole.dynamics.parameters(), resumed.dynamics.parameters(), strict=True):
        assert torch.equal(first, second)
    assert torch.equal(whole.dynamics.elites, resumed.dynamics.elites)
    done = make_fit(RUNS, [5, 6, 7])
    monkeypatch.setattr(done, "_update", lambda: pytest.fail("it was fitted again"))
    done.go(path, {"a": 1}, quiet=True)
    state = done.dynamics.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in whole.dynamics.state_dict().items())
    with pytest.raises(RunDirectoryError, match="World models are kept for their own runs and settings"):
        make_fit(RUNS, [5, 6, 7]).go(path, {"a": 2}, quiet=True)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorruptFileError, match="cannot be read"):
        make_fit(RUNS, [5, 6, 7]).go(path, {"a": 1}, quiet=True)


def test_too_few_transitions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "HELD_OUT", 1_000)
    with pytest.raises(ValueError, match="A world model needs 1000 transitions at least, .* a run has"):
        make_fit([FIRST], [0])
    with pytest.raises(ValueError, match="`updates` must be an integer >= 1"):
        FitSettings(updates=0)
