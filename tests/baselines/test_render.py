"""Pictures of pairs: what acts, when frames are taken, what is drawn and written, what stands in the way."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transreward_baselines.checkpoint import save_checkpoint
from transreward_baselines.cli import main
from transreward_baselines.config import RunConfig
from transreward_baselines.render import RenderArgs, RenderError, backend, encode, picture_stem, render_in_subprocess
from transreward_baselines.render import film as film_module
from transreward_baselines.render.actions import SmoothActions, sequence
from transreward_baselines.render.casting import cast
from transreward_baselines.render.draw import caption, film_strip, panel, side_by_side, title
from transreward_baselines.render.film import Film, Frame, film, moments, shortened
from transreward_baselines.sb3.agents import make_agent, make_plain_env
from transreward_envs import PAIRS, get_pair
from transreward_envs.pairs import ROLES, Pair, Role
from transreward_wrappers.policies import load_policy
from transreward_wrappers.policies.shipped import policy_path

PICTURES = [Image.new("RGB", (64, 48), color) for color in ("red", "green", "blue", "white")]


def needs_rendering() -> None:
    pytest.importorskip("av", reason="MP4 needs PyAV")
    try:
        backend.working_backend()
    except RenderError as error:
        pytest.skip(str(error))


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Film without rendering: every frame is the same grey."""
    grey = np.full((24, 32, 3), 100, dtype=np.uint8)
    monkeypatch.setattr(film_module._Recording, "_image", lambda self: grey)


def films_of(pair: Pair, times: Any, *, hold: bool = False) -> tuple[Film, Film]:
    source, target = (film(pair, role, sequence(pair, role, seed=0), times, seed=0, hold=hold) for role in ROLES)
    return source, target


@given(seed=st.integers(0, 1000), strength=st.floats(0.0, 1.0), time=st.floats(0.0, 100.0))
def test_the_sequence_is_reproducible_and_stays_within_the_action_space(
    seed: int, strength: float, time: float
) -> None:
    space = Box(np.float32([-1.0, -3.0, 0.0]), np.float32([1.0, 3.0, 2.0]))
    first, second = (SmoothActions.draw(space, seed=seed, strength=strength) for _ in range(2))
    np.testing.assert_array_equal(first(time), second(time))
    middle = (space.low + space.high) / 2
    assert np.all(np.abs(first(time) - middle) <= strength * (space.high - space.low) / 2 + 1e-5)
    assert first(time).dtype == np.float32


def test_the_sequence_moves_every_joint_and_another_seed_gives_another() -> None:
    space = Box(-1.0, 1.0, (6,))
    one, other = (np.array([SmoothActions.draw(space, seed=seed)(t) for t in np.arange(0, 2, 0.1)]) for seed in (0, 1))
    assert np.all(np.ptp(one, axis=0) > 0.5)
    assert not np.allclose(one, other)


def test_a_sequence_needs_a_bounded_box_and_a_share() -> None:
    with pytest.raises(ValueError, match="needs a bounded box of actions"):
        SmoothActions.draw(Box(-np.inf, np.inf, (2,)), seed=0)
    with pytest.raises(ValueError, match=r"`strength` must lie in \[0, 1\]; got 1.5"):
        SmoothActions.draw(Box(-1.0, 1.0, (2,)), seed=0, strength=1.5)


@pytest.mark.parametrize("name", ["Hopper-gravity-2.0", "Ant-delay-3", "Walker2d-morph-leg-hard"])
def test_both_domains_get_the_same_actions_at_the_same_times(name: str, unseen: None) -> None:
    pair, seen = get_pair(name), {role: {} for role in ROLES}
    for role in ROLES:
        act = sequence(pair, role, seed=3)

        def spy(observation: Any, time: float, act: Any = act, role: Role = role) -> Any:
            seen[role][round(time, 9)] = act(observation, time).tolist()
            return act(observation, time)

        film(pair, role, spy, moments(pair, steps=10, seconds=1.0, fps=1000), seed=0, hold=False)
    assert seen["source"] == seen["target"]
    assert len(seen["source"]) == 10


def test_robots_with_other_actions_have_a_sequence_each() -> None:
    pair = get_pair("Walker2d-from-Hopper")
    assert [len(sequence(pair, role, seed=0)(None, 0.0)) for role in ROLES] == [3, 6]


@pytest.mark.parametrize(
    "name", ["HalfCheetah-repeat-4to2", "Hopper-repeat-4to2", "HalfCheetah-timestep-0.5", "Ant-delay-3"]
)
def test_frames_are_taken_at_equal_simulated_times(name: str, unseen: None) -> None:
    pair = get_pair(name)
    times = moments(pair, steps=13, seconds=1.0, fps=25)
    source, target = films_of(pair, times)
    for taken in (source, target):
        np.testing.assert_allclose([frame.time for frame in taken.frames], times, atol=1e-9)


def test_a_film_lasts_the_steps_or_the_time_limit(unseen: None) -> None:
    assert moments(get_pair("Hopper-gravity-2.0"), steps=50, seconds=6.0, fps=25)[-1] == pytest.approx(0.4)
    assert moments(get_pair("HalfCheetah-timestep-0.5"), steps=None, seconds=6.0, fps=10)[-1] == pytest.approx(6.0)
    assert moments(get_pair("Reacher-mass-2.0"), steps=None, seconds=6.0, fps=25)[-1] == pytest.approx(1.0)
    assert moments(get_pair("Reacher-mass-2.0"), steps=None, seconds=0.0, fps=25).tolist() == [0.0]


def test_filming_changes_nothing(unseen: None) -> None:
    pair = get_pair("HalfCheetah-noise-0.3")
    actor = sequence(pair, "target", seed=0)
    filmed = film(pair, "target", actor, moments(pair, steps=20, seconds=1.0, fps=20), seed=5, hold=True)
    env = pair.make("target")
    env.reset(seed=5)
    rewards = [float(env.step(actor(None, 0.05 * step))[1]) for step in range(20)]
    assert filmed.frames[-1].reward == sum(rewards)
    assert filmed.frames[-1].position == env.unwrapped.data.qpos[0]
    env.close()


def test_an_episode_that_ends_is_held_or_simulated_on_without_reward(unseen: None) -> None:
    pair = get_pair("Hopper-gravity-2.0")
    times = moments(pair, steps=250, seconds=6.0, fps=25)
    held, going = films_of(pair, times, hold=True), films_of(pair, times)
    for one, other in zip(held, going, strict=True):
        assert one.over == other.over is not None
        assert len(one.frames) == len(other.frames) == len(times)
        assert one.frames[-1] is one.frames[-2]
        assert one.frames[-1].time == one.over
        assert other.frames[-1].time == pytest.approx(times[-1])
        assert one.frames[-1].reward == other.frames[-1].reward
        assert caption(one, -1).startswith(f"ended at {one.over:.2f} s")
        assert f"(over at {one.over:.2f})" in caption(other, len(times) - 1)
        assert "over" not in caption(other, 0)
    rest = max(film.over or 0.0 for film in held) + 0.5
    assert len(shortened(held, times)[0].frames) == np.searchsorted(times, rest) + 1
    assert shortened(going, times) is going


def still(over: float | None, *, held: bool) -> Film:
    image = np.zeros((24, 200, 3), dtype=np.uint8)
    image[..., 0] = 200
    last = Frame(image=image, time=over or 0.1, position=-0.01, reward=1.0)
    frames = (Frame(image=image, time=0.0, position=0.0, reward=0.0), last, last)
    return Film(role="target", frames=frames, over=over, held=held)


def test_only_a_held_frame_is_grey() -> None:
    def color(film: Film, index: int) -> Any:
        return panel(film, index, "heading").getpixel((100, 30))

    assert color(still(0.1, held=True), 0) == (200, 0, 0)
    assert len(set(color(still(0.1, held=True), 1))) == 1
    assert color(still(0.1, held=False), 1) == (200, 0, 0)
    assert color(still(None, held=True), 2) == (200, 0, 0)
    assert "x = 0.0 m" in caption(still(None, held=True), 1)


def test_pictures_have_both_domains_and_even_sides() -> None:
    pair, films = get_pair("Hopper-gravity-2.0"), (still(None, held=True), still(0.1, held=True))
    both = side_by_side(pair, films, 0, pair.name)
    assert both.width >= 2 * 200
    assert both.width % 2 == both.height % 2 == 0
    assert film_strip(pair, films, pair.name, count=3).width >= 3 * 200


def test_domains_are_named_by_their_shifts_and_robots() -> None:
    assert title(get_pair("Hopper-gravity-2.0"), "source") == "source: plain Hopper"
    assert title(get_pair("Hopper-gravity-2.0"), "target") == "target: gravity-2.0"
    assert title(get_pair("Walker2d-from-Hopper"), "source") == "source: plain Hopper"
    assert all(title(pair, role) for pair in PAIRS.values() for role in ROLES)


def test_png_and_gif_are_written(tmp_path: Path) -> None:
    encode.write_png(PICTURES[0], tmp_path / "one.png")
    encode.write_gif(PICTURES, tmp_path / "all.gif", fps=10.0)
    with Image.open(tmp_path / "one.png") as picture, Image.open(tmp_path / "all.gif") as clip:
        assert picture.convert("RGB").getpixel((5, 5)) == (255, 0, 0)
        assert clip.n_frames == 4
        assert clip.info["duration"] == 100
        clip.seek(2)
        assert clip.convert("RGB").getpixel((5, 5)) == (0, 0, 255)


def test_mp4_has_every_frame_at_its_time(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    encode.write_mp4(PICTURES, tmp_path / "all.mp4", fps=12.5)
    with av.open(str(tmp_path / "all.mp4")) as clip:
        frames = list(clip.decode(video=0))
    assert [(frame.width, frame.height) for frame in frames] == [(64, 48)] * 4
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.08, 0.16, 0.24])


@pytest.mark.parametrize(
    ("out", "stem"),
    [
        ("films/", "films/Hopper-gravity-2.0"),
        ("films/a", "films/a"),
        ("films/a.mp4", "films/a"),
        ("films/Hopper-gravity-0.5", "films/Hopper-gravity-0.5"),
        ("./", "Hopper-gravity-2.0"),
    ],
)
def test_out_is_a_directory_or_a_file_name(out: str, stem: str) -> None:
    assert picture_stem(out, "Hopper-gravity-2.0") == Path(stem)


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["render", *words])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_errors_say_what_to_do(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Did you mean 'Hopper-gravity-2.0'" in failure(capsys, "Hopper-gravty-2.0")
    assert "`width` must be an integer >= 16; got 3" in failure(capsys, "Hopper-gravity-2.0", "--width", "3")
    assert "`steps` must be an integer >= 1; got 0" in failure(capsys, "Hopper-gravity-2.0", "--steps", "0")
    monkeypatch.setattr(encode, "find_spec", lambda name: None)
    assert "An MP4 needs PyAV, which is not installed: pip install 'av>=14'" in failure(capsys, "Hopper-gravity-2.0")
    with pytest.raises(ValueError, match="A film needs a `pair` or a `run`"):
        RenderArgs(out=Path("film"))


def test_without_a_way_to_render_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(backend, "_problem", lambda name: f"no {name}")
    with pytest.raises(RenderError, match=r"egl: no egl; osmesa: no osmesa; glfw: no glfw.*apt-get install libegl1"):
        backend.working_backend()
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    with pytest.raises(RenderError, match=r"MUJOCO_GL=osmesa does not work here \(osmesa: no osmesa\).*libosmesa6"):
        backend.working_backend()
    monkeypatch.setenv("MUJOCO_GL", "nothing")
    with pytest.raises(RenderError, match="`MUJOCO_GL` must be one of egl, osmesa, glfw, or unset; got 'nothing'"):
        backend.working_backend()
    monkeypatch.setattr(backend, "_problem", {"egl": "broken", "osmesa": None}.get)
    monkeypatch.delenv("MUJOCO_GL")
    assert backend.working_backend() == "osmesa"


def test_a_way_to_render_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        assert settings["env"]["MUJOCO_GL"] == "egl"
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nImportError: Cannot initialize a EGL device\n")

    monkeypatch.setattr(backend.subprocess, "run", run)
    assert backend._problem.__wrapped__("egl") == "ImportError: Cannot initialize a EGL device"
    assert backend._problem.__wrapped__("wgl") == "unknown"


def test_a_pair_is_filmed_from_the_command_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    needs_rendering()
    main(["render", "InvertedPendulum-gravity-2.0", "--out", f"{tmp_path}/", "--steps", "4", "--width", "64"])
    files = [Path(line) for line in capfd.readouterr().out.split()]
    assert [file.name for file in files] == [f"InvertedPendulum-gravity-2.0.{kind}" for kind in ("png", "gif", "mp4")]
    png, gif, mp4 = (file.read_bytes() for file in files)
    assert png.startswith(b"\x89PNG")
    assert gif.startswith(b"GIF89a")
    assert mp4[4:8] == b"ftyp"


def test_a_policy_is_filmed_in_pairs_that_it_fits(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = RunConfig(pair="Hopper-gravity-2.0", method="source", steps=1)
    config.claim(run)
    save_checkpoint(make_agent(config, make_plain_env(config)), config, run)
    pair, actors, who = cast(RenderArgs(out=tmp_path / "film", run=run))
    assert pair.name == "Hopper-gravity-2.0"
    assert who == "one policy, trained by source"
    assert actors["source"](np.zeros(11), 0.0).shape == (3,)
    assert cast(RenderArgs(out=tmp_path / "film", run=run, pair="Hopper-mass-2.0"))[0].name == "Hopper-mass-2.0"
    for other in ("Walker2d-gravity-2.0", "Hopper-delay-3"):
        with pytest.raises(ValueError, match=f"trained on Hopper-gravity-2.0, and {other} has others"):
            cast(RenderArgs(out=tmp_path / "film", run=run, pair=other))
    needs_rendering()
    files = render_in_subprocess(RenderArgs(out=tmp_path / "film", run=run, steps=4, width=64, height=48))
    assert all(file.stat().st_size > 0 for file in files)


def test_a_policy_that_ships_is_filmed_where_its_robot_is(tmp_path: Path) -> None:
    out = tmp_path / "film"
    _, actors, who = cast(RenderArgs(out=out, pair="HalfCheetah-velocity-3.0", policy="expert"))
    assert who == "the plain HalfCheetah's expert"  # that source has none of its own
    policy, seen = load_policy("HalfCheetah"), np.random.default_rng(0).normal(size=18)
    for role in ROLES:
        np.testing.assert_allclose(actors[role](seen[1:], 0.0), np.clip(policy(seen[None, 1:])[0], -1, 1), atol=1e-6)
    _, actors, who = cast(RenderArgs(out=out, pair="HalfCheetah-sparse-mass-2.0", policy="expert"))
    assert who == "the source's expert"
    policy = load_policy("HalfCheetah-sparse-mass-2.0", "source")
    for role in ROLES:  # its observations begin with a position
        np.testing.assert_allclose(actors[role](seen, 0.0), np.clip(policy(seen[None])[0], -1, 1), atol=1e-6)
    _, actors, who = cast(RenderArgs(out=out, pair="Walker2d-from-Hopper", policy="expert"))
    assert who == "the source's expert, and a fixed sequence of actions in the target"
    assert [actors[role](np.zeros(11), 0.0).shape for role in ROLES] == [(3,), (6,)]
    file = policy_path("Hopper", "medium")
    assert cast(RenderArgs(out=out, pair="Hopper-mass-2.0", policy=str(file)))[2] == "the policy Hopper-medium"
    with pytest.raises(ValueError, match="must be of the domain's own robot"):
        cast(RenderArgs(out=out, pair="Walker2d-mass-2.0", policy=str(file)))
    with pytest.raises(ValueError, match="Unknown level 'expret'. Did you mean 'expert'"):
        cast(RenderArgs(out=out, pair="Hopper-mass-2.0", policy="expret"))
    with pytest.raises(ValueError, match="Either a `run`'s policy acts or a `policy`"):
        RenderArgs(out=out, run=tmp_path, policy="expert")
    needs_rendering()
    main(["render", "Hopper-mass-2.0", "--policy", "expert", "--out", str(out), "--steps", "2", "--width", "64"])
    assert out.with_suffix(".mp4").stat().st_size > 0


def test_a_failure_while_filming_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    needs_rendering()
    with pytest.raises(RenderError, match="failed with exit status 1; its error is above"):
        render_in_subprocess(RenderArgs(out=tmp_path / "film", run=tmp_path / "nothing"))
    assert "A run directory holds a config.json" in capfd.readouterr().err


def test_the_program_loads_no_mujoco_before_the_way_to_render_is_chosen() -> None:
    code = "import sys, transreward_baselines.cli, transreward_baselines.render.gallery; print('mujoco' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
