"""Pictures: every form, every size, and what is wrong with those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equimodal.media.forms import form_of, read_row
from equimodal.media.pictures import read_picture
from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable
from media.making import need, picture, scene

need("PIL")
from PIL import Image  # noqa: E402

SIZE = MediaSettings(image_size=32)


@pytest.mark.parametrize(("ending", "most"), [("jpg", 12), ("png", 0), ("webp", 12), ("bmp", 0)])
def test_forms_are_read_alike(tmp_path: Path, ending: str, most: int) -> None:
    pixels = scene(1, 32, 32)
    found, _ = read_picture(picture(tmp_path / f"a.{ending}", pixels), SIZE)
    assert found.shape == (32, 32, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - pixels).mean() <= most


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", scene(1, 32, 32)).rename(tmp_path / "a.jpg")
    assert np.array_equal(read_picture(path, SIZE)[0], scene(1, 32, 32))


def test_fit(tmp_path: Path) -> None:
    """A picture twice as wide as high: black, white, white, grey in four columns."""
    pixels = np.repeat(np.array([0, 255, 255, 128], np.uint8), 16)[None, :, None].repeat(32, 0).repeat(3, 2)
    path = picture(tmp_path / "a.png", pixels)
    crop, pad, stretch = (
        read_picture(path, MediaSettings(image_size=32, fit=fit))[0] for fit in ("crop", "pad", "stretch")
    )
    assert (crop == 255).all()  # the middle half
    assert (pad[:8] == 255).all() and (pad[24:] == 255).all() and (pad[10:22, :6] == 0).all()
    assert (stretch[:, :6] == 0).all() and (stretch[:, 26:] == 128).all()


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:16, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", SIZE)[0]
    assert (found[:16] == 0).all() and (found[16:] == 255).all()


def test_the_camera_s_turning_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(scene(2, 32, 32))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png", SIZE)[0], np.rot90(scene(2, 32, 32), -1))


def test_16_bits_palettes_and_cmyk(tmp_path: Path) -> None:
    deep = (np.arange(32 * 32).reshape(32, 32) * 64).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.abs(read_picture(tmp_path / "deep.png", SIZE)[0][..., 0].astype(int) - deep // 256).max() <= 1
    Image.fromarray(scene(3, 32, 32)).quantize(32).save(tmp_path / "few.png")
    assert np.abs(read_picture(tmp_path / "few.png", SIZE)[0].astype(int) - scene(3, 32, 32)).mean() < 20
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "ink.jpg")
    assert np.abs(read_picture(tmp_path / "ink.jpg", SIZE)[0].astype(int) - [255, 0, 0]).max() < 10


def test_pictures_of_floats(tmp_path: Path) -> None:
    grey = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) % 256
    expected = np.repeat(grey.astype(np.uint8)[..., None], 3, 2)
    for most in (1, 255):
        Image.fromarray(grey / 255 * most).save(tmp_path / "a.tif")
        assert np.abs(read_picture(tmp_path / "a.tif", SIZE)[0].astype(int) - expected).max() <= 1
    for values, words in (
        (grey * 4, "holds numbers from 0 to 1020, expected 0 to 255; save it with 8 bits"),
        (grey - 9, "holds numbers from -9 to 246"),
        ((grey * 1000).astype(np.int32), "from 0 to 255000, expected 0 to 65535"),
        (np.where(grey == 3, np.nan, grey), "NaN or infinite"),
    ):
        Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(Unreadable, match=words):
            read_picture(tmp_path / "a.tif", SIZE)


def test_copies_look_alike_and_others_do_not(tmp_path: Path) -> None:
    large, small = picture(tmp_path / "a.png", scene(4, 96, 128)), tmp_path / "b.jpg"
    Image.open(large).resize((64, 48)).save(small, quality=60)
    one, two = (read_picture(path, SIZE)[1] for path in (large, small))
    assert one is not None and two is not None and (one ^ two).bit_count() <= 4
    others = [read_picture(picture(tmp_path / "c.png", scene(seed)), SIZE)[1] for seed in range(5, 15)]
    assert min((one ^ other).bit_count() for other in others if other is not None) > 4
    assert read_picture(picture(tmp_path / "flat.png", np.full((32, 32, 3), 7, np.uint8)), SIZE)[1] is None


def broken(tmp_path: Path, case: str) -> Path:
    path = picture(tmp_path / "a.png", scene(1))
    whole = path.read_bytes()
    if case == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif case == "truncated jpg":
        path = picture(tmp_path / "a.jpg", scene(1), quality=95)
        path.write_bytes(path.read_bytes()[:-600])
    elif case == "empty":
        path.write_bytes(b"")
    elif case == "no picture":
        path.write_bytes(b"RIFF" + bytes(200))
    elif case == "a program":  # Pillow would hand this to Ghostscript
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    elif case == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("case", "cause", "words"),
    [
        ("truncated", "cut short", "truncated"),
        ("truncated jpg", "cut short", "truncated"),
        ("empty", "empty", "no byte"),
        ("no picture", "damaged", "no picture"),
        ("a program", "damaged", "no picture"),
        ("missing", "missing", "no such file"),
        ("huge", "too large", "64 x 48 pixels, more than --max-pixels 1000"),
    ],
)
def test_what_is_wrong(tmp_path: Path, case: str, cause: str, words: str) -> None:
    settings = MediaSettings(max_pixels=1000 if case == "huge" else 10_000)
    with pytest.raises(Unreadable, match=words) as error:
        read_row(broken(tmp_path, case), form_of("image", settings), settings)
    assert error.value.cause == cause
