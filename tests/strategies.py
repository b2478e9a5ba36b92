"""Hypothesis strategies for the suite's values."""

from hypothesis import strategies as st

from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    ActuatorShift,
    DampingShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    MassShift,
    ModelShift,
    Shift,
)

scales = st.floats(0.1, 10.0).filter(lambda scale: scale != 1.0)
scaled_kinds = st.sampled_from((MassShift, FrictionShift, GravityShift, DampingShift, ActuatorShift, JointRangeShift))


@st.composite
def model_shifts(draw: st.DrawFn) -> ModelShift:
    return draw(scaled_kinds)(scale=draw(scales))


@st.composite
def control_shifts(draw: st.DrawFn) -> Shift:
    return draw(
        st.one_of(
            st.builds(ActionDelay, steps=st.integers(1, 5)),
            st.builds(ActionRepeat, times=st.integers(2, 5)),
            st.builds(ActionNoise, half_width=st.floats(0.01, 1.0), dimension=st.sampled_from((None, 0, -1))),
        )
    )


shifts = st.one_of(model_shifts(), control_shifts())
