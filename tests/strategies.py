"""Hypothesis strategies for the suite's values."""

from hypothesis import strategies as st

from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    ActuatorShift,
    ArmatureShift,
    DampingShift,
    DirectionShift,
    FingerShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    LimbShift,
    LinkShift,
    MassShift,
    MazeShift,
    ModelShift,
    ObservationNoise,
    ObstacleShift,
    OdrlFriction,
    Shift,
    SparseReward,
    StiffnessShift,
    TimestepShift,
    VelocityShift,
    WindShift,
)
from transreward_envs.shifts.layouts import LAYOUTS

scales = st.floats(0.1, 10.0).filter(lambda scale: scale != 1.0)
SCALED = (
    MassShift,
    FrictionShift,
    GravityShift,
    DampingShift,
    ArmatureShift,
    ActuatorShift,
    JointRangeShift,
    TimestepShift,
)
"""Kinds with a scale that change any robot which walks on a floor."""


@st.composite
def model_shifts(draw: st.DrawFn) -> ModelShift:
    return draw(
        st.one_of(
            st.sampled_from(SCALED).flatmap(lambda kind: st.builds(kind, scale=scales)),
            st.builds(WindShift, x=st.floats(-20.0, 20.0), density=st.floats(0.1, 10.0)),
        )
    )


@st.composite
def control_shifts(draw: st.DrawFn) -> Shift:
    return draw(
        st.one_of(
            st.builds(ActionDelay, steps=st.integers(1, 5)),
            st.builds(ActionRepeat, times=st.integers(2, 5)),
            st.builds(ActionNoise, half_width=st.floats(0.01, 1.0), dimension=st.sampled_from((None, 0, -1))),
        )
    )


points = st.tuples(*[st.floats(-1.0, 1.0)] * 3)

other_shifts = st.one_of(
    st.builds(StiffnessShift, scale=scales),
    st.builds(OdrlFriction, scale=scales),
    st.builds(ObservationNoise, std=st.floats(0.01, 1.0)),
    st.builds(DirectionShift, heading=st.sampled_from(("backward", "either"))),
    st.builds(VelocityShift, goal=st.floats(-5.0, 5.0)),
    st.builds(SparseReward, distance=st.floats(0.1, 10.0)),
    st.builds(LimbShift, bodies=st.just(("foot",)), length=scales, radius=scales),
    st.builds(LinkShift, body=st.just("foot"), end=points, radius=st.floats(0.01, 0.1)),
    st.builds(ObstacleShift, x=st.floats(-5.0, 5.0)),
    st.builds(MazeShift, layout=st.sampled_from(sorted(LAYOUTS))),
    st.builds(FingerShift, scale=scales),
    st.builds(JointRangeShift, joints=st.just(("foot_joint",)), limits=st.just((-0.5, 0.25))),
)

shifts = st.one_of(model_shifts(), control_shifts())
"""Shifts of the dynamics that any robot on a floor takes."""

all_shifts = st.one_of(shifts, other_shifts)
"""Shifts of every kind, legal as values."""
