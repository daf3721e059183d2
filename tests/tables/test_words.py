import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.tables.words import interval, join_names, number


@given(st.floats(-100, 100), st.integers(1, 4), st.booleans())
def test_numbers_read_back(value, digits, sign):
    text = number(value, digits, sign=sign)
    assert "-" not in text
    assert float(text.replace("\u2212", "-")) == pytest.approx(value, abs=0.5 * 10**-digits + 1e-9)
    assert text.startswith("+") == (sign and round(value, digits) > 0)


def test_zero_has_no_sign_and_nothing_is_a_dash():
    assert number(-0.0001, 3, sign=True) == "0.000"
    assert number(None) == "\u2013"
    assert interval(-0.5, 0.5, 1, sign=True) == "[\u22120.5, +0.5]"


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_join(names, text):
    assert join_names(names) == text
