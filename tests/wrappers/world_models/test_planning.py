"""The cross-entropy method: it finds what is known to be best, keeps it, and keeps to what the model knows."""

import pytest
import torch

from tests.wrappers.world_models.systems import Linear
from transreward_wrappers.world_models import ModelReport, PlanSettings, PoorModelWarning, plan
from transreward_wrappers.world_models.report import Errors

START = torch.tensor([[0.5, -0.5, 0.2]])
QUICK = {"horizon": 4, "iterations": 8, "candidates": 200, "finalists": 60, "elites": 20, "penalty": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def total(observations: torch.Tensor) -> torch.Tensor:
    """Return the sum of the third number, which rises with the actions: all of them at their bound is best."""
    return observations[:, :, 2].sum(dim=1)


def settings(**changes: object) -> PlanSettings:
    return PlanSettings(**{**QUICK, **changes})


def best_of_all() -> float:
    observations, _ = Linear().rollout(START, torch.ones(1, 4, 2))
    return float(total(observations))


@pytest.mark.parametrize("drafted", [True, False])
def test_the_known_optimum_is_found(drafted: bool) -> None:
    found = plan(Linear(), START, total, generator=seeded(), settings=settings(drafted=drafted))
    assert found.score == pytest.approx(best_of_all(), rel=0.02)
    assert bool((found.actions.abs() <= 1.0).all())
    assert bool((found.actions > 0.8).all())


def test_the_best_sequence_ever_seen_is_returned_and_never_a_worse_one() -> None:
    seen: list[float] = []

    def score(observations: torch.Tensor) -> torch.Tensor:
        scores = total(observations)
        seen.append(float(scores.max()))
        return scores

    # a Gaussian that hardly narrows, without drafts: most iterations draw nothing better than an early one
    wide = settings(drafted=False, candidates=20, elites=19, least_std=2.0, iterations=15)
    for seed in range(5):
        seen.clear()
        found = plan(Linear(), START, score, generator=seeded(seed), settings=wide)
        assert found.score == pytest.approx(max(seen))
        assert list(found.values) == sorted(found.values)
        assert found.values[-1] == pytest.approx(found.value)
        again = Linear().rollout(START, found.actions[None])[0]
        torch.testing.assert_close(again[0], found.observations)


def test_the_best_so_far_is_kept_where_the_score_changes_its_mind() -> None:
    calls = 0

    def fickle(observations: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return total(observations) - (100.0 if calls > 1 else 0.0)

    found = plan(Linear(), START, fickle, generator=seeded(), settings=settings(drafted=False, iterations=3))
    assert found.score > -50.0  # of the first iteration: all later ones are valued less
    assert len(set(found.values)) == 1


def test_a_penalty_keeps_to_what_the_model_is_sure_of() -> None:
    found = {
        penalty: plan(Linear(), START, total, generator=seeded(), settings=settings(penalty=penalty))
        for penalty in (0.0, 50.0)
    }
    assert float(found[50.0].spread.mean()) < 0.2 * float(found[0.0].spread.mean())
    for penalty, one in found.items():
        assert one.value == pytest.approx(one.score - penalty * float(one.spread.mean()), rel=1e-4, abs=1e-4)


def test_the_mean_and_the_best_so_far_are_imagined_in_full_whatever_their_drafts_are_worth() -> None:
    class Misled(Linear):
        """Drafts the opposite of what is so."""

        def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
            return -super().draft(states, actions)

    start = torch.ones(4, 2)  # the optimum, of which the draft is the worst
    few = settings(finalists=20, iterations=1)
    found = plan(Misled(), START, total, generator=seeded(), settings=few, start=start)
    assert found.score == pytest.approx(best_of_all())
    later = plan(Misled(), START, total, generator=seeded(), settings=settings(finalists=20, iterations=4), start=start)
    assert later.score == pytest.approx(best_of_all())


def test_only_the_best_drafts_are_imagined_in_full() -> None:
    for drafted, count in ((True, 60), (False, 200)):
        model = Linear()
        plan(model, START, total, generator=seeded(), settings=settings(drafted=drafted, iterations=3))
        assert model.calls == [count] * 3


def test_equal_generators_give_equal_plans_and_others_do_not() -> None:
    one, same, other = (plan(Linear(), START, total, generator=seeded(s), settings=settings()) for s in (0, 0, 1))
    assert torch.equal(one.actions, same.actions)
    assert not torch.equal(one.actions, other.actions)


def test_a_plan_goes_on_from_the_one_before() -> None:
    found = plan(Linear(), START, total, generator=seeded(), settings=settings())
    start = found.shifted(2)
    torch.testing.assert_close(start[:2], found.actions[2:])
    assert bool((start[2:] == 0.0).all())


def report(error: float) -> ModelReport:
    errors = Errors(model=(0.1, error), persistence=(1.0, 1.0), windows=(9, 9))
    return ModelReport(errors={"random": errors}, spread=(0.1, 0.1), fitted_steps=9, cpu_seconds=1.0)


def test_a_model_too_poor_for_the_horizon_warns() -> None:
    with pytest.warns(PoorModelWarning, match="too poor to plan 4 steps ahead with: .* is 0.60 on 'random'"):
        plan(Linear(report(0.6)), START, total, generator=seeded(), settings=settings())
    plan(Linear(report(0.2)), START, total, generator=seeded(), settings=settings())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="A plan starts from one state"):
        plan(Linear(), START.expand(2, -1), total, generator=seeded(), settings=settings())
    with pytest.raises(ValueError, match=r"`start` must be \(horizon, action_size\), \(4, 2\); got \(3, 2\)"):
        plan(Linear(), START, total, generator=seeded(), settings=settings(), start=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="`score` must return a number for each of 200 sequences"):
        plan(Linear(), START, lambda seen: seen[:, :, 2], generator=seeded(), settings=settings())
    with pytest.raises(ValueError, match="with 200 NaN"):
        plan(Linear(), START, lambda seen: total(seen) * torch.nan, generator=seeded(), settings=settings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "`horizon` must be an integer >= 1"),
        ({"elites": 1}, "`elites` must be an integer >= 2"),
        ({"elites": 61}, "no more `elites` than `finalists`"),
        ({"penalty": -1.0}, "`penalty` must be finite and >= 0"),
        ({"smoothing": 1.0}, r"`smoothing` must lie in \[0, 1\)"),
        ({"std": 0.0}, "`std` must be finite and > 0"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**changes)
