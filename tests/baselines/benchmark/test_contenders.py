"""Contenders, the terms that are equal for all, and pairs that are made for a sweep."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import gymnasium as gym
import numpy as np
import pytest

from transreward_baselines.benchmark.contenders import Contender
from transreward_baselines.benchmark.sweep import Sweep, parse_range
from transreward_baselines.benchmark.terms import Terms
from transreward_envs import METHODS, PAIRS, Pair, get_pair
from transreward_envs.shifts import ActionDelay
from transreward_wrappers import Compensation, Transitions, register_compensation
from transreward_wrappers.reward_transfer import RewardTransfer

PAIR = "InvertedPendulum-gravity-2.0"
TERMS = Terms(source_steps=1_000, target_steps=100)


@dataclass(kw_only=True, eq=False)
class Thirsty(Compensation):
    """Adds nothing, and takes steps in both domains to fit."""

    acts_in: ClassVar = "both"

    drink: int = 30

    def fit_steps(self) -> dict:
        return {"source": 10 * self.drink, "target": self.drink}

    def __call__(self, batch: Transitions) -> np.ndarray:
        return np.zeros(len(batch))


@pytest.fixture
def thirsty():
    register_compensation("thirsty", Thirsty)
    yield
    METHODS.pop("thirsty")
    for env_id in [env_id for env_id in gym.registry if env_id.endswith("-thirsty-v0")]:
        del gym.registry[env_id]


@pytest.mark.usefixtures("thirsty")
@pytest.mark.parametrize(
    ("word", "steps", "target", "ratio", "fitted"),
    [
        ("source", 1_000, None, None, 0),
        ("target", 100, 100, None, 0),
        ("target-10x", 1_000, 1_000, None, 0),
        ("mixture", 1_100, 100, 1 / 11, 0),
        ("darc:eta=0.1", 1_100, 100, 1 / 11, 0),
        ("mixture:target_ratio=0.5", 1_100, 100, 0.5, 0),
        ("mixture:target_ratio=1", 1_100, 100, 1.0, 0),
        ("reward-transfer:fit_budget=400", 100, 100, None, 400),
        ("thirsty", 770, 70, 1 / 11, 330),
        ("thirsty:drink=99", 11, 1, 1 / 11, 1_089),
    ],
)
def test_all_contenders_have_the_same_steps_and_those_of_a_fit_are_taken_off(
    word: str, steps: int, target: int | None, ratio: float | None, fitted: int
) -> None:
    budget = Contender.parse(word).budget(TERMS, get_pair(PAIR))
    assert (budget.steps, budget.target_budget) == (steps, target)
    assert budget.settings.get("target_ratio") == (None if ratio is None else pytest.approx(ratio))
    if word.startswith(("darc", "mixture", "thirsty")):
        assert budget.steps + fitted == TERMS.source_steps + TERMS.target_steps


@pytest.mark.parametrize("ratio", ["2", "-0.5", "a", "null"])
def test_a_ratio_that_is_no_share_is_refused_before_anything_is_trained(ratio: str) -> None:
    with pytest.raises((ValueError, TypeError), match="`target_ratio` must"):
        Contender.parse(f"mixture:target_ratio={ratio}")


@pytest.mark.parametrize(("ratio", "steps"), [(0.0, 1_000), (0.05, 1_053), (0.09, 1_099), (0.2, 1_100)])
def test_one_that_seldom_enters_the_target_has_no_more_of_the_source_for_that(ratio: float, steps: int) -> None:
    budget = Contender.parse(f"mixture:target_ratio={ratio}").budget(TERMS, get_pair(PAIR))
    assert (budget.steps, budget.settings["target_ratio"]) == (steps, ratio)
    assert steps - min(ratio * steps, 100) <= TERMS.source_steps + 0.5


@pytest.mark.usefixtures("thirsty")
def test_a_fit_that_takes_more_than_there_is_is_refused() -> None:
    for word, steps in {"reward-transfer": 100_000, "thirsty:drink=100": 1_000, "thirsty:drink=101": 1_010}.items():
        with pytest.raises(ValueError, match=f"Steps of fitting a compensation count; '{word}' takes {steps} in the"):
            Contender.parse(word).budget(TERMS, get_pair(PAIR))


def test_a_fit_that_is_taken_over_counts_with_the_steps_in_its_data(tmp_path: Path) -> None:
    transfer = RewardTransfer(hidden=8, fit_updates=2)
    transfer.check(get_pair(PAIR))
    transfer.bind(4, 1)
    generator = np.random.default_rng(0)
    rows = {"observation": generator.normal(size=(50, 4)), "next_observation": generator.normal(size=(50, 4))}
    transfer.learn(
        Transitions(
            **rows,
            action=generator.normal(size=(50, 1)),
            reward=np.ones(50),
            terminated=np.zeros(50, dtype=bool),
            domain=np.zeros(50, dtype=int),
        )
    )
    transfer.save(tmp_path / "fit.safetensors")
    contender = Contender.parse(f"reward-transfer:hidden=8,fitted={tmp_path / 'fit.safetensors'}")
    assert contender.budget(TERMS, get_pair(PAIR)).steps == 100
    with pytest.raises(ValueError, match="takes 50 in the source and 0 in the target, of 49 and 100 in all"):
        contender.budget(Terms(source_steps=49, target_steps=100), get_pair(PAIR))
    with pytest.raises(ValueError, match="`fitted` must be the file of a fit"):
        Contender.parse("reward-transfer:fitted=nowhere").budget(TERMS, get_pair(PAIR))


def test_a_contender_has_one_name_and_a_folder_of_its_own() -> None:
    words = ["darc:eta=0.1,clip=5", "darc:clip=5,eta=0.1"]
    assert {Contender.parse(word).name for word in words} == {"darc:clip=5,eta=0.1"}
    assert Contender.parse(words[0]).settings == {"eta": 0.1, "clip": 5}
    assert Contender.parse("darc:parameterisation=joint").variant == "parameterisation=joint"
    others = ["darc", "darc:eta=0.1", "darc:eta=0.5", "mixture", "target", "target-2x", "target-3x"]
    folders = {Contender.parse(word).folder for word in [*words, *others]}
    assert len(folders) == 8
    assert all(set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-=.") for folder in folders)


@pytest.mark.parametrize(
    ("word", "kind", "message"),
    [
        ("dar", ValueError, "Unknown method 'dar'. Did you mean 'darc'"),
        ("target-0x", ValueError, "Unknown method 'target-0x'. Did you mean 'target-10x'"),
        ("darc:eta=Infinity", ValueError, "`eta` must be finite and >= 0; got inf"),
        ("darc:eta=NaN", ValueError, "`eta` must be finite and >= 0; got nan"),
        ("darc:eta=nan", TypeError, "`eta` must be a number; got 'nan'"),
        ("reward-transfer:lam=Infinity", ValueError, "`lam` must be finite and >= 0; got inf"),
        ("darc:etta=1", ValueError, "Unknown setting of DARC 'etta'. Did you mean 'eta'"),
        ("darc:eta", ValueError, "A setting has the form name=value"),
        ("darc:target_budget=5", ValueError, "'target_budget' is no setting of 'darc': a benchmark gives all"),
        ("source:eta=1", ValueError, "'source' has no settings; got 'source:eta=1'"),
        ("target-10x:eta=1", ValueError, "'target-10x' has no settings"),
    ],
)
def test_a_wrong_contender_says_what_is_wrong(word: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Contender.parse(word)


def test_a_contender_that_cannot_train_in_a_pair_is_refused() -> None:
    hidden = Pair(robot="Hopper", name="Hopper-hidden", target=(ActionDelay(steps=2),))
    with pytest.raises(ValueError, match="DARC needs observations that hold every action under way"):
        Contender.parse("darc").budget(TERMS, hidden)
    across = get_pair("Walker2d-from-Hopper")
    for word in ("source", "mixture", "darc:eta=0.1"):
        with pytest.raises(ValueError, match=f"has another robot, which '{word}' would act with. Leave out the one"):
            Contender.parse(word).check(across)
    for word in ("target", "target-10x", "reward-transfer"):
        Contender.parse(word).check(across)
    with pytest.raises(ValueError, match="Unknown setting of 'mixture' 'target_rato'. Did you mean 'target_ratio'"):
        Contender.parse("mixture:target_rato=0.5")


def test_the_mixture_has_the_settings_of_turns_alone() -> None:
    Contender.parse("mixture:target_ratio=0.3,start_in=target")
    with pytest.raises(ValueError, match="Unknown setting of 'mixture' 'frame_skip'. Valid"):
        Contender.parse("mixture:frame_skip=2")
    with pytest.raises(ValueError, match="Unknown setting of 'mixture' 'time_limit'"):
        Contender.parse("mixture:time_limit=5")
    with pytest.raises(ValueError, match="Unknown domain to start in 'nowhere'"):
        Contender.parse("darc:start_in=nowhere")
    for word in ("reward-transfer:target_ratio=0.5", "dtw:start_in=target"):
        with pytest.raises(ValueError, match="is of methods that act in both domains by turns"):
            Contender.parse(word)


@pytest.mark.parametrize("name", ["source_steps", "target_steps", "evaluations", "eval_episodes", "final_episodes"])
def test_terms_are_counts_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer >= 1; got 0"):
        Terms(**{name: 0})


def test_a_sweep_has_a_pair_a_value_but_none_where_nothing_changes() -> None:
    pairs = Sweep(shift="mass", values="0.5:3:11").pairs("InvertedPendulum")
    assert list(pairs) == [0.5, 0.75, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0]
    assert [pair.target[0].scale for pair in pairs.values()] == list(pairs)
    assert pairs[0.75].name == "InvertedPendulum-mass-0.75"
    assert pairs[0.75].name not in PAIRS
    assert pairs[2.0] is PAIRS["InvertedPendulum-mass-2.0"]


def test_a_sweep_moves_the_number_that_is_meant() -> None:
    winds = Sweep(shift="wind.x:density=1.2", values="-20:0:2").pairs("Hopper")
    assert [(pair.target[0].x, pair.target[0].density) for pair in winds.values()] == [(-20.0, 1.2), (0.0, 1.2)]
    delays = Sweep(shift="delay", values="1:3:3").pairs("InvertedPendulum")
    assert [(pair.target[0].steps, pair.observe_actions) for pair in delays.values()] == [(1, 1), (2, 2), (3, 3)]
    (limb, _) = Sweep(shift='limb.length:bodies=["pole"]', values="0.5:1.5:2").pairs("InvertedPendulum").values()
    assert limb.target[0].length == 0.5


def test_a_range_has_its_ends_and_no_rounding_errors() -> None:
    assert parse_range("0.1:0.5:5") == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert parse_range("-1:1:3") == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    "text", ["", "0.5:3", "0.5:3:11:2", "3:0.5:11", "1:1:2", "a:3:2", "0.5:inf:3", "1:2:2.5", "nan:2:3"]
)
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A range is lowest:highest:count"):
        Sweep(shift="mass", values=text)


@pytest.mark.parametrize(
    ("shift", "values", "message"),
    [
        ("mas", "1:2:2", "Unknown shift kind 'mas'. Did you mean 'mass'"),
        ("mass", "1:2:1", "`count` must be an integer >= 2; got 1"),
        ("mass:bdy=pole", "1:2:2", "Unknown setting of a mass shift 'bdy'. Did you mean 'body'"),
        ("mass", "-1:2:2", "`scale` must be finite and > 0; got -1.0"),
        ("wind", "1:2:2", "those of 'wind' are wind.x, wind.y, wind.z, wind.density; got 'wind'"),
        ("mass.scal", "1:2:2", "those of 'mass' are mass.scale; got 'mass.scal'"),
        ("broken", "1:2:2", "those of 'broken' are none; got 'broken'"),
        ("friction", "2:3:2", "A friction shift needs a robot with contacts"),
    ],
)
def test_a_wrong_sweep_says_what_is_wrong(shift: str, values: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sweep(shift=shift, values=values).pairs("InvertedPendulum")
