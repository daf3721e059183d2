"""Features are those of the encoder, each row once, whatever happened to the cache before."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.data.columns.base import SelectedColumn
from equimodal.data.columns.joined import JoinedColumn
from equimodal.errors import ConfigError, DataError, RunError
from equimodal.features.cache import FeatureCache, open_cache
from equimodal.features.manifest import FILE, read_manifest
from equimodal.features.place import MARK, default_place, entries
from features.toy import Doubling, cache_at, expected, tokens, values_of, vectors
from training.runs import largest_file, temporaries

EVERY = np.arange(20)


def only_entry(folder: Path) -> Path:
    (entry,) = entries(folder)
    return entry


def shards(folder: Path, kind: str = "features") -> list[Path]:
    return sorted(only_entry(folder).glob(f"shard-*.{kind}.npy"))


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch):
    """An encoder is given three rows at once, so that a column takes several chunks."""
    monkeypatch.setattr("equimodal.features.filling.ROWS_AT_ONCE", 3)


@pytest.mark.parametrize("make", [vectors, tokens])
def test_features_are_those_of_the_encoder_in_any_order_and_are_encoded_once(tmp_path: Path, make):
    column, part = make(), Doubling()
    for _ in range(2):
        found = cache_at(tmp_path).column(part, column, EVERY, "a")
        order = np.array([7, 0, 19, 7, 3])
        assert values_of(found, order) == expected(column, order)
        assert values_of(found, np.arange(5, 15)) == expected(column, np.arange(5, 15))
    assert sorted(part.seen) == EVERY.tolist()
    assert len(shards(tmp_path)) > 2


@settings(max_examples=15)
@given(asked=st.lists(st.lists(st.integers(0, 19), max_size=8), min_size=1, max_size=4), rows=st.integers(1, 9))
def test_only_rows_asked_for_are_encoded_and_none_twice(tmp_path_factory: pytest.TempPathFactory, asked, rows: int):
    folder = tmp_path_factory.mktemp("cache")
    column, part = vectors(), Doubling()
    for wanted in asked:
        found = cache_at(folder, rows).column(part, column, np.array(wanted, np.int64), "a")
        assert values_of(found, np.array(wanted, np.int64)) == expected(column, np.array(wanted, np.int64))
    assert sorted(part.seen) == sorted({row for wanted in asked for row in wanted})


def test_a_row_that_nobody_asked_for_is_an_error_and_not_zeros(tmp_path: Path):
    found = cache_at(tmp_path).column(Doubling(), vectors(), np.array([1, 2]), "a")
    with pytest.raises(DataError, match="absent when the data were prepared"):
        found.take(np.array([1, 3]))


def test_columns_and_encoders_do_not_share_features(tmp_path: Path):
    cache = cache_at(tmp_path)
    for part in (Doubling(), Doubling("b"), Doubling(pooled=True)):
        for column in (vectors(), vectors(seed=1)):
            cache.column(part, column, EVERY, "a")
        assert sorted(part.seen) == sorted([*EVERY, *EVERY])
    assert len(list(entries(tmp_path))) == 6


def test_where_a_model_is_decides_nothing(tmp_path: Path):
    cache_at(tmp_path).column(Doubling(place="/here/model"), vectors(), EVERY, "a")
    moved = Doubling(place="/there/model")
    cache_at(tmp_path).column(moved, vectors(), EVERY, "a")
    assert moved.seen == []
    assert json.loads((only_entry(tmp_path) / FILE).read_text())["identity"]["place"] == "/here/model"
    renamed = Doubling(model="/there/model")
    cache_at(tmp_path).column(renamed, vectors(), EVERY, "a")
    assert sorted(renamed.seen) == EVERY.tolist()


def test_what_is_on_disk_is_readable(tmp_path: Path):
    column = vectors()
    cache_at(tmp_path).column(Doubling(), column, np.array([3, 5]), "sound")
    content = json.loads((only_entry(tmp_path) / FILE).read_text())
    assert content["identity"] == {"name": "doubling", "revision": "a"}
    assert (content["column"], content["count"], content["missing"]) == (column.fingerprint(), 20, 0)
    assert (content["modality"], content["shape"], content["dtype"]) == ("sound", [3], "<f4")
    assert content["versions"]["numpy"] == np.__version__
    array = np.load(shards(tmp_path)[0])  # any program can read it
    assert array.tolist() == expected(column, [3, 5])


def test_another_process_gets_the_place_and_not_the_content(tmp_path: Path):
    column = tokens(200)
    found = cache_at(tmp_path, rows=200).column(Doubling(), column, np.arange(200), "a")
    sent = pickle.dumps(SelectedColumn(found, EVERY))
    assert b"shard-" in sent
    assert np.asarray(column.values.array)[:10].tobytes() not in sent
    assert values_of(pickle.loads(sent), [4, 2]) == expected(column, [4, 2])


def test_features_that_vary_can_be_joined_with_others(tmp_path: Path):
    one, other, cache = tokens(), tokens(seed=1), cache_at(tmp_path)
    both = JoinedColumn([cache.column(Doubling(), column, EVERY, "a") for column in (one, other)])
    assert values_of(both, [25, 3]) == [*expected(other, [5]), *expected(one, [3])]
    sizes = [len(row) * 3 for row in one.take(slice(0, 20))]
    assert np.asarray(both.sizes())[:20].tolist() == sizes


def test_what_was_encoded_before_an_error_is_kept(tmp_path: Path):
    column, part = vectors(), Doubling()

    def fail(row: int) -> None:
        if row == 13:
            raise DataError("row 13: the file cannot be decoded.")

    part.before = fail
    part_of_one_row = part.encode
    part.encode = lambda column, rows: np.concatenate([part_of_one_row(column, np.array([row])) for row in EVERY[rows]])
    with pytest.raises(DataError, match="row 13"):
        cache_at(tmp_path, rows=100).column(part, column, EVERY, "a")
    manifest = read_manifest(only_entry(tmp_path))
    assert manifest is not None
    assert (manifest.rows, manifest.missing) == (12, 8)
    after = Doubling()
    assert values_of(cache_at(tmp_path).column(after, column, EVERY, "a"), EVERY) == expected(column, EVERY)
    assert sorted(after.seen) == list(range(12, 20))


def test_a_file_is_read_through_once_in_a_process_and_again_when_it_was_changed(tmp_path: Path, monkeypatch):
    column, opened = vectors(), []
    cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
    plain = Path.open

    def watch(path: Path, *options, **more):
        opened.append(path)
        return plain(path, *options, **more)

    monkeypatch.setattr(Path, "open", watch)
    cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
    assert not [path for path in opened if path.suffix == ".npy"]
    path = shards(tmp_path)[0]
    path.write_bytes(path.read_bytes())
    opened.clear()
    cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
    assert [path for path in opened if path.suffix == ".npy"] == [path]


class TestDamage:
    def damage(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    @pytest.mark.parametrize("kind", ["features", "rows", "offsets"])
    def test_a_shard_with_a_wrong_bit_is_computed_anew(self, tmp_path: Path, kind: str, caplog):
        column = tokens()
        cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
        count = len(shards(tmp_path))
        self.damage(shards(tmp_path, kind)[1])
        part = Doubling()
        with caplog.at_level(logging.WARNING, "equimodal.features"):
            found = cache_at(tmp_path).column(part, column, EVERY, "a")
        assert values_of(found, EVERY) == expected(column, EVERY)
        assert 0 < len(part.seen) < 20
        assert f"1 of {count} shards of features are damaged; their rows are computed anew" in caplog.text
        files = {path.name for path in only_entry(tmp_path).glob("shard-*")}
        manifest = read_manifest(only_entry(tmp_path))
        assert manifest is not None
        assert files == {name for shard in manifest.shards for name in shard.files}

    def test_a_shard_that_is_too_short_or_gone_is_computed_anew(self, tmp_path: Path):
        column = vectors()
        cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
        first, second, *_ = shards(tmp_path)
        first.write_bytes(first.read_bytes()[:-4])
        second.unlink()
        assert values_of(cache_at(tmp_path).column(Doubling(), column, EVERY, "a"), EVERY) == expected(column, EVERY)

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"shards": 3}', '{"shards": [{"name": 1}]}'])
    def test_a_manifest_that_cannot_be_read_is_written_anew(self, tmp_path: Path, content: str, caplog):
        column = vectors()
        cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
        (only_entry(tmp_path) / FILE).write_text(content)
        old = set(shards(tmp_path))
        assert values_of(cache_at(tmp_path).column(Doubling(), column, EVERY, "a"), EVERY) == expected(column, EVERY)
        assert "the manifest is damaged" in caplog.text
        assert not old & set(shards(tmp_path))

    def test_a_manifest_reads_nothing_outside_of_its_folder(self, tmp_path: Path):
        cache_at(tmp_path).column(Doubling(), vectors(), EVERY, "a")
        path = only_entry(tmp_path) / FILE
        content = json.loads(path.read_text())
        files = content["shards"][0]["files"]
        files["../../victim.npy"] = files.pop(next(iter(files)))
        path.write_text(json.dumps(content))
        assert read_manifest(path.parent) is None

    def test_half_a_shard_of_a_killed_process_is_removed(self, tmp_path: Path):
        column = vectors()
        cache_at(tmp_path).column(Doubling(), column, EVERY[:8], "a")
        half = only_entry(tmp_path) / "shard-0123456789ab.features.npy"
        temporary = only_entry(tmp_path) / ".shard-0123456789ab.rows.npy.host.1.aa.equimodal-tmp"
        foreign = only_entry(tmp_path) / "notes.txt"
        for path in (half, temporary, foreign):
            path.write_bytes(b"half")
        found = cache_at(tmp_path).column(Doubling(), column, EVERY, "a")
        assert values_of(found, EVERY) == expected(column, EVERY)
        assert not half.exists()
        assert not temporary.exists()
        assert foreign.exists()

    def test_a_full_disk_is_one_message_and_nothing_is_left_half(self, tmp_path: Path):
        column, part = vectors(4000, 8), Doubling()
        with largest_file(20_000), pytest.raises(RunError, match=r"could not be written .*free some space"):
            FeatureCache(tmp_path).column(part, column, np.arange(4000), "a")
        assert temporaries(tmp_path) == []
        assert list(only_entry(tmp_path).glob("shard-*")) == []
        found = FeatureCache(tmp_path).column(Doubling(), column, np.arange(4000), "a")
        assert values_of(found, [3999]) == expected(column, [3999])


class TestEarlier:
    def test_another_revision_is_reported_in_words_and_not_used(self, tmp_path: Path, caplog):
        column, new = vectors(), Doubling("2f9c")
        cache_at(tmp_path).column(Doubling("1e0b"), column, EVERY, "sound")
        cache_at(tmp_path).column(new, column, EVERY, "sound")
        assert sorted(new.seen) == EVERY.tolist()
        assert "sound: features of another version of doubling are there; they are not used" in caplog.text
        assert "revision: 1e0b there, 2f9c now" in caplog.text

    def test_another_column_or_form_is_no_other_version(self, tmp_path: Path, caplog):
        cache_at(tmp_path).column(Doubling(tokens=True), vectors(), EVERY, "a")
        cache_at(tmp_path).column(Doubling("b", tokens=True), vectors(seed=1), EVERY, "a")
        cache_at(tmp_path).column(Doubling(tokens=False), vectors(), EVERY, "a")
        assert caplog.text == ""


class TestWrongEncoders:
    def encode(self, folder: Path, values, **changes):
        part = Doubling(**changes)
        part.encode = lambda column, rows: values
        return cache_at(folder).column(part, vectors(), np.array([0, 1]), "sound")

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.ones((3, 3)), "was given 2 rows, and returned 3 rows"),
            ({"x": np.ones((2, 3))}, "returned several arrays by name"),
            (np.ones((2, 4)), r"said that features are tensor \(3,\), and returned shape \(4,\) for row 0"),
            (np.array([[1, 2, 3], [1, np.nan, 3]]), "NaN or infinite features for row 1"),
        ],
    )
    def test_what_it_returns_is_checked(self, tmp_path: Path, values, words: str):
        with pytest.raises(DataError, match=words):
            self.encode(tmp_path, values)

    def test_an_identity_of_other_than_plain_values_is_refused(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="sound: the identity of its frozen encoder should hold plain values"):
            self.encode(tmp_path, None, weights=object())
        with pytest.raises(ConfigError, match="sound: the identity of its frozen encoder should hold plain values"):
            self.encode(tmp_path, None, place=tmp_path)


class TestPlace:
    def test_the_default_is_the_users_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        cache = open_cache(True)
        assert cache is not None
        assert cache.folder == default_place() == tmp_path / "equimodal" / "features"
        assert open_cache(None) is open_cache(False) is None

    def test_a_folder_of_other_things_is_refused_and_left_alone(self, tmp_path: Path):
        (tmp_path / "thesis.tex").write_text("text")
        with pytest.raises(ConfigError, match=r"is not empty, and not a cache of features"):
            FeatureCache(tmp_path)
        with pytest.raises(ConfigError, match="is a file"):
            FeatureCache(tmp_path / "thesis.tex")
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_cache_that_should_be_there_already_is_not_made(self, tmp_path: Path):
        assert open_cache(tmp_path / "none", make=False) is None
        assert not (tmp_path / "none").exists()
        FeatureCache(tmp_path / "one")
        assert (tmp_path / "one" / MARK).is_file()
        assert open_cache(tmp_path / "one", make=False) is not None
