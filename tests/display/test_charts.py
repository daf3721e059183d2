from hypothesis import given
from hypothesis import strategies as st

from equimodal.display.charts import modality_styles


def test_twelve_modalities_look_different_and_not_by_colour_alone():
    styles = modality_styles([f"m{i}" for i in range(12)])
    assert len({(s.colour, s.marker, s.dashes) for s in styles.values()}) == 12
    assert len({(s.marker, s.dashes) for s in styles.values()}) == 12
    assert all(s.glyph for s in styles.values())


def test_colours_differ_in_lightness_or_hue_from_the_white_card():
    for style in modality_styles([str(i) for i in range(6)]).values():
        channels = [int(style.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        assert 1.05 / (luminance + 0.05) > 2


@given(st.lists(st.text(min_size=1), min_size=2, max_size=12, unique=True))
def test_a_modality_keeps_its_look_by_place(names):
    styles = modality_styles(names)
    assert list(styles) == names
    assert [styles[n] for n in names] == list(modality_styles([str(i) for i in range(len(names))]).values())
