"""Training on data of every source, as a user would: memory maps, ragged rows, text, files, groups and any unit."""

import json

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.data.columns import base
from equimodal.data.columns.media import MediaColumn
from equimodal.errors import DataError

N = 160
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % 2
LENGTHS = RNG.integers(2, 9, N)
VECTOR = RNG.normal(LABELS[:, None], 1.0, (N, 6))
SEQUENCE = np.where(
    np.arange(8)[None, :, None] < LENGTHS[:, None, None], RNG.normal(LABELS[:, None, None], 2, (N, 8, 3)), 0
)
WORDS = [" ".join(RNG.choice(["good", "fine", "a"] if label else ["bad", "a", "the"], 4)) for label in LABELS]


def data(**changes):
    arrays = {"vector": VECTOR, "sequence": SEQUENCE, "text": WORDS}
    return eq.Dataset({**arrays, **changes}, LABELS, lengths={} if "sequence" in changes else {"sequence": LENGTHS})


def trained(splits, epochs=3, method="joint", **options):
    model = eq.Classifier.for_data(splits, width=8)
    return eq.fit(model, splits, method, epochs=epochs, batch_size=32, quiet=True, reference=False, **options)


def numbers(run):
    """Return all that was measured, without times."""
    lines = [{key: value for key, value in line.items() if key not in ("seconds", "memory")} for line in run.history]
    return json.loads(json.dumps([lines, run.test.to_dict()]))


def weights(run):
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def assert_same(first, second):
    assert numbers(first) == numbers(second)
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", ["joint", "equilibrium"])
def test_workers_change_no_bit(method):
    splits = data().split(seed=0)
    assert_same(trained(splits, 2, method), trained(splits, 2, method, loader_workers=2))


def test_workers_leave_the_callers_random_numbers_alone():
    splits = data().split(seed=0)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    list(splits.train.batches(16, workers=2))
    assert torch.equal(torch.rand(3), expected)


def test_an_error_in_a_worker_is_one_message(tmp_path):
    for row in range(N):
        np.save(tmp_path / f"{row}.npy", VECTOR[row].astype(np.float32))
    whole = data(vector=MediaColumn([tmp_path / f"{row}.npy" for row in range(N)], np.load))
    (tmp_path / "100.npy").unlink()
    with pytest.raises(DataError, match=r"100\.npy: cannot be decoded \(FileNotFoundError") as caught:
        list(whole.batches(16, workers=2))
    assert "Traceback" not in str(caught.value)


def test_files_train_like_the_array_they_hold(tmp_path):
    for row in range(N):
        np.save(tmp_path / f"{row}.npy", VECTOR[row])
    files = MediaColumn([tmp_path / f"{row}.npy" for row in range(N)], np.load)
    assert_same(trained(data(vector=files).split(seed=0)), trained(data().split(seed=0)))


def test_a_memory_map_trains_like_the_array_and_is_never_read_whole(tmp_path, monkeypatch):
    class Watched(np.memmap):
        largest = 0

        def __getitem__(self, index):
            got = super().__getitem__(index)
            Watched.largest = max(Watched.largest, np.size(got))
            return got

    monkeypatch.setattr(base, "CHUNK", 200)
    np.save(tmp_path / "vector.npy", VECTOR)
    np.save(tmp_path / "sequence.npy", SEQUENCE)
    maps = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r").view(Watched) for name in ("vector", "sequence")}
    splits = eq.Dataset({**maps, "text": WORDS}, LABELS, lengths={"sequence": LENGTHS}).split(seed=0)
    run = trained(splits)
    batch = 32 * SEQUENCE[0].size
    assert 0 < Watched.largest <= batch
    assert_same(run, trained(data().split(seed=0)))


def test_a_memory_map_with_groups_is_compared_without_a_copy(tmp_path):
    np.save(tmp_path / "vector.npy", VECTOR)
    values = np.lib.format.open_memmap(tmp_path / "vector.npy", mode="r")
    splits = eq.Dataset({"vector": values, "text": WORDS}, LABELS, groups=np.arange(N) // 4).split(seed=0)
    again = splits.redraw(1)
    for part in again.parts().values():
        assert part.column("vector").source.array is values
    assert not set(again.train.groups) & set(again.test.groups)
    plain = eq.Dataset({"vector": VECTOR, "text": WORDS}, LABELS, groups=np.arange(N) // 4).split(seed=0)
    first, second = (
        eq.compare(data, ["joint", "alternating"], seeds=2, epochs=1, quiet=True) for data in (splits, plain)
    )
    for method, results in first.results.items():
        assert [result.test for result in results] == [result.test for result in second.results[method]]


def test_ragged_rows_predict_like_padded_ones():
    ragged = [row[:length] for row, length in zip(SEQUENCE, LENGTHS, strict=True)]
    padded, short = trained(data().split(seed=0)), trained(data(sequence=ragged).split(seed=0))
    for first, second in zip(numbers(padded)[0], numbers(short)[0], strict=True):
        assert first["train"]["fused"] == pytest.approx(second["train"]["fused"], abs=1e-4)
    assert padded.test.to_dict()["accuracy"] == short.test.to_dict()["accuracy"]


@pytest.mark.parametrize("encoder", ["conv1d", "gru"])
def test_predictions_do_not_depend_on_the_other_rows_of_the_batch(encoder):
    ragged = [row[:length] for row, length in zip(SEQUENCE, LENGTHS, strict=True)]
    splits = data(sequence=ragged).split(seed=0)
    model = eq.Classifier.for_data(splits, {"sequence": encoder}, width=8, fusion="late").eval()
    test = model.prepare(splits.test)
    with torch.no_grad():
        together = model(test.batch(slice(None)))
        alone = torch.cat([model(test.batch([row])) for row in range(len(test))])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


UNITS = [(1.0, 0.0), (1e-7, 0.0), (1e-13, 0.0), (1e-30, 0.0), (1e-45, 0.0), (1e30, 0.0), (1400.0, 1.7e9), (1e-3, 20.0)]


def losses(vector, sequence):
    """Return the training losses of a few epochs on these values."""
    arrays = {"vector": vector, "sequence": sequence, "text": WORDS}
    run = trained(eq.Dataset(arrays, LABELS, lengths={"sequence": LENGTHS}).split(seed=0), 6)
    assert run.test.to_dict()["accuracy"] > 0.6
    return [line["train"]["fused"] for line in run.history]


@pytest.mark.parametrize(("scale", "offset"), UNITS)
def test_the_unit_does_not_change_what_is_learnt(scale, offset):
    """The same data in volts, tesla or seconds since 1970; padding and constant columns included."""
    vector, sequence = VECTOR.copy(), SEQUENCE.copy()
    vector[:, 0], sequence[..., 0] = 0.1, 7.0
    expected = losses(vector, sequence)
    assert losses(offset + scale * vector, offset + scale * sequence) == pytest.approx(expected, abs=2e-3)
