"""Cycles and problems for properties that must hold whatever they are."""

from __future__ import annotations

from hypothesis import strategies as st

from research.theory import Cycle, random_problems

cycles = st.builds(
    Cycle,
    ratio=st.floats(0.01, 1),
    step=st.floats(0.001, 0.9),
    transfer=st.floats(0, 1),
    weak=st.sampled_from(["light", "slow", "flat"]),
    in_step=st.booleans(),
    in_loss=st.booleans(),
)
light = st.builds(Cycle, ratio=st.floats(0.01, 0.99), step=st.floats(0.01, 0.9), transfer=st.floats(0, 1))
problems = st.builds(
    random_problems,
    count=st.just(4),
    agreement=st.none() | st.floats(-1, 1),
    dimension=st.integers(2, 6),
    seed=st.integers(0, 10**6),
)
