"""Runs and comparisons as they are while they train."""

import json
from pathlib import Path

import pytest

import equimodal as eq
from equimodal.board.comparisons import collection_so_far, comparison_so_far, comparisons_among, members_of
from equimodal.board.finding import Found, find, look
from equimodal.board.runs import RunSoFar, reference_of, run_so_far
from equimodal.locks import locked
from synthetic import make_splits

from .folders import age, write_comparison, write_run


def run_at(root: Path, place: str) -> RunSoFar:
    found = look(root, place)
    assert found is not None
    return run_so_far(found)


def comparison_at(root: Path, place: str):
    found = look(root, place)
    assert found is not None
    members = members_of(found, find(root)[0])
    if found.kind == "comparison":
        return comparison_so_far(found, members)
    return collection_so_far(found, list(comparisons_among(members).values()))


def test_a_run_that_trains(tmp_path: Path):
    write_run(tmp_path / "a", epochs=3, fused=0.7)
    run = run_at(tmp_path, "a")
    assert (run.state, run.method, run.data, run.seed) == ("running", "joint", "made-up", 0)
    assert (run.epochs, run.planned, run.kept, run.accuracy, run.latest) == (3, 60, 2, 0.7, 0.7)
    assert run.seconds == pytest.approx(3 * 1.6) and not run.report


def test_running_stopped_finished(tmp_path: Path):
    folder = write_run(tmp_path / "a")
    age(folder)
    assert run_at(tmp_path, "a").state == "stopped"
    with locked(folder, "a run"):
        assert run_at(tmp_path, "a").state == "running"
    assert run_at(tmp_path, "a").state == "stopped"
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "state.safetensors").write_bytes(b"")  # written just now, perhaps by another machine
    assert run_at(tmp_path, "a").state == "running"
    write_run(folder, finished=True)
    assert run_at(tmp_path, "a").state == "finished"


def test_half_written_files_are_read_as_far_as_they_are(tmp_path: Path):
    folder = write_run(tmp_path / "a", epochs=2)
    text = (folder / "history.jsonl").read_text()
    (folder / "history.jsonl").write_text(text + text[: len(text) // 4])
    (folder / "metrics.json").write_text('{"test": {"accu')
    run = run_at(tmp_path, "a")
    assert (run.epochs, run.state) == (2, "running")
    (folder / "config.yaml").write_text("method: [")
    run = run_at(tmp_path, "a")
    assert (run.method, run.planned, run.epochs) == (None, None, 2)
    (folder / "history.jsonl").unlink()
    assert run_at(tmp_path, "a").epochs == 0


def test_trials_are_not_counted_and_stages_are(tmp_path: Path):
    write_run(tmp_path / "a", epochs=2, phases=("trial", "train"), trials=("trial",))
    assert run_at(tmp_path, "a").epochs == 2
    write_run(tmp_path / "b", epochs=3, method="unimodal_ensemble", phases=("image", "text"))
    assert (run_at(tmp_path, "b").epochs, run_at(tmp_path, "b").planned) == (6, 120)


def test_the_reference_is_found_where_training_leaves_it(tmp_path: Path):
    def reference(place: str):
        found = look(tmp_path, place)
        assert found is not None
        return reference_of(found, tmp_path)

    write_run(tmp_path / "a")
    assert reference("a") is None
    write_run(tmp_path / "a" / "reference", finished=True, method="unimodal_ensemble", reference=(0.7, 0.5))
    assert dict(reference("a") or {}) == {"image": 0.7, "text": 0.5}
    write_run(tmp_path / "c" / "joint" / "seed-1")
    ensemble = tmp_path / "c" / "unimodal_ensemble" / "seed-1"
    write_run(ensemble, finished=True, method="unimodal_ensemble", reference=(0.6, 0.4))
    assert dict(reference("c/joint/seed-1") or {}) == {"image": 0.6, "text": 0.4}
    write_comparison(tmp_path / "d", ["joint", {"label": "each alone", "name": "unimodal_ensemble"}])
    write_run(tmp_path / "d" / "joint" / "seed-1")
    labelled = tmp_path / "d" / "each-alone" / "seed-1"
    write_run(labelled, finished=True, method="unimodal_ensemble", reference=(0.5, 0.3))
    assert dict(reference("d/joint/seed-1") or {}) == {"image": 0.5, "text": 0.3}
    assert reference_of(look(ensemble.parents[1] / "joint" / "seed-1", ""), ensemble.parents[1] / "joint") is None  # type: ignore[arg-type]


def test_means_over_the_seeds_that_have_finished(tmp_path: Path):
    folder = write_comparison(tmp_path / "c")
    for seed, fused in enumerate((0.6, 0.8)):
        write_run(folder / "joint" / f"seed-{seed}", finished=True, seed=seed, fused=fused)
    write_run(folder / "alternating" / "seed-0", method="alternating")
    write_run(folder / "_tuning" / "joint" / "seed-0" / "1", finished=True, fused=0.1)
    found = comparison_at(tmp_path, "c")
    assert found.state == "running" and (found.finished, found.planned) == (2, 9)  # with the ensemble
    assert [run.place for run in found.runs] == ["c/alternating/seed-0", "c/joint/seed-0", "c/joint/seed-1"]
    by_label = {method.label: method for method in found.methods}
    assert set(by_label) == {"unimodal_ensemble", "joint", "alternating"}
    joint = by_label["joint"]
    assert (joint.finished, joint.planned, joint.accuracy) == (2, 3, pytest.approx(0.7))
    assert by_label["alternating"].accuracy is None


def test_the_best_is_chosen_on_validation_over_seeds_that_all_have_finished(tmp_path: Path):
    def best() -> tuple[str, float, int] | None:
        found = comparison_at(tmp_path, "c").best
        return None if found is None else (found.label, round(found.validation, 6), found.seeds)

    folder = write_comparison(tmp_path / "c", ["joint", "alternating", "paper"])
    write_run(folder / "unimodal_ensemble" / "seed-0", finished=True, fused=0.99)  # the reference alone, not compared
    write_run(folder / "joint" / "seed-0", finished=True, fused=0.6)
    assert best() is None  # there is no other to compare with
    write_run(folder / "joint" / "seed-1", finished=True, fused=0.9)
    write_run(folder / "alternating" / "seed-2", finished=True, fused=0.8)
    assert best() is None  # no seed in common
    write_run(folder / "alternating" / "seed-0", finished=True, fused=0.7)
    assert best() == ("alternating", 0.7, 1)  # joint has the higher mean, of an easier seed
    write_run(folder / "alternating" / "seed-1", finished=True, fused=0.7)
    assert best() == ("joint", 0.75, 2)


def test_runs_that_begin_stop_and_train_are_counted(tmp_path: Path):
    folder = write_comparison(tmp_path / "c", seeds=4)
    for seed in range(3):
        write_run(folder / "joint" / f"seed-{seed}", finished=seed == 0, seed=seed)
    write_run(folder / "left-over" / "seed-0")  # of a method that is no longer compared
    age(tmp_path)
    write_run(folder / "alternating" / "seed-0", method="alternating")
    write_run(folder / "_tuning" / "joint" / "seed-3" / "1")
    found = comparison_at(tmp_path, "c")
    assert (found.finished, found.running, found.stopped, found.planned) == (1, 2, 2, 12)


@pytest.mark.parametrize("place", ["", "a", "a b", "a/b"])
def test_members_lie_in_the_folder_itself(tmp_path: Path, place: str):
    for name in ("a", "a b", "a-b", "a/b", "a/b/c", "a0", "ab", "b"):
        write_run(tmp_path / name)
    found = find(tmp_path)[0]
    top = next((one for one in found if one.place == place), Found("run", tmp_path, ""))
    start = f"{place}/" if place else ""
    assert members_of(top, found) == [one for one in found if one.place.startswith(start)]


def test_an_analysis_adds_up_its_comparisons(tmp_path: Path):
    for name in ("one", "two"):
        write_comparison(tmp_path / "tau" / name, seeds=2)
        write_run(tmp_path / "tau" / name / "joint" / "seed-0", finished=True)
    for name in ("tau-analysis.yaml", ".lock"):
        (tmp_path / "tau" / name).write_text("")
    found = comparison_at(tmp_path, "tau")
    assert (found.kind, found.state, found.finished, found.planned) == ("analysis", "running", 2, 12)
    age(tmp_path)
    assert comparison_at(tmp_path, "tau").state == "stopped"


def test_results_of_strange_forms_are_no_trouble(tmp_path: Path):
    (tmp_path / "c").mkdir()
    strange = {"methods": ["a", 3, None], "seeds": [0, "../..", []], "results": [{"method": [], "seed": {}}, 4]}
    (tmp_path / "c" / "comparison.json").write_text(json.dumps(strange))
    found = comparison_at(tmp_path, "c")
    assert [(m.label, m.planned, m.finished) for m in found.methods] == [("a", 1, 0)]
    for text in ("[]", "3", "{", '{"methods": 5, "results": {}}'):
        (tmp_path / "c" / "comparison.json").write_text(text)
        assert comparison_at(tmp_path, "c").planned == 0


def test_a_real_comparison_shows_what_its_result_says(tmp_path: Path):
    data = make_splits(modalities=("vector", "sequence"))
    result = eq.compare(data, ["joint"], seeds=2, redraw="none", epochs=2, quiet=True, out=tmp_path / "c")
    found = comparison_at(tmp_path, "c")
    assert (found.state, found.finished, found.planned) == ("finished", 4, 4)
    values = result.values("joint", "accuracy")
    assert found.methods[-1].accuracy == pytest.approx(sum(values) / 2)
    runs = {run.place: run for run in found.runs}
    assert len(runs) == 4 and {run.state for run in runs.values()} == {"finished"}
    assert runs["c/joint/seed-0"].epochs == 2 and runs["c/unimodal_ensemble/seed-1"].planned == 4
    (tmp_path / "c" / "joint" / "seed-1" / "metrics.json").unlink()  # its numbers are in comparison.json too
    assert comparison_at(tmp_path, "c").finished == 4
    (tmp_path / "c" / "compare.yaml").unlink()
    assert comparison_at(tmp_path, "c").finished == 2
