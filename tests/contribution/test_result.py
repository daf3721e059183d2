import dataclasses
import json

import pytest
import torch

from equimodal.contribution import Contribution, contribution, plan
from equimodal.errors import ConfigError, DataError

NAMES = ["image", "text"]


def results(classified):
    outputs, targets = classified
    generator = torch.Generator().manual_seed(0)
    sampled = plan(12, budget=100, seed=1)
    return {
        "exact": contribution(outputs, plan(2), targets, NAMES, split="test", groups=[i // 2 for i in range(120)]),
        "undefined": contribution(outputs.flip(0), plan(2), targets, NAMES),
        "values": contribution(torch.tensor([0.1, 0.9, 0.05, 0.5]), plan(2), None, NAMES),
        "estimated": contribution(
            sampled.coalitions.float().sum(-1) + torch.rand(len(sampled.coalitions), generator=generator),
            sampled,
            None,
            list("abcdefghijkl"),
        ),
    }


@pytest.mark.parametrize("kind", ["exact", "undefined", "values", "estimated"])
def test_results_survive_json(classified, kind):
    result = results(classified)[kind]
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert Contribution.from_dict(json.loads(text)) == result


def test_dicts_that_are_not_results_are_named(classified):
    fields = results(classified)["exact"].to_dict()
    del fields["edm"]
    fields["phi"]["text"] = "much"
    with pytest.raises(DataError, match=r"phi\.text: .*; edm: Field required"):
        Contribution.from_dict(fields)


def test_results_are_frozen(classified):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(results(classified)["exact"], "edm", 0)  # noqa: B010 - a type checker refuses it too


def test_a_result_reads_well(classified):
    c = results(classified)["exact"]
    assert c.shares and c.interactions and c.intervals and c.intervals.edm
    lines = str(c).splitlines()
    assert lines[0] == "Contribution to accuracy (test, 120 samples, exact over 4 coalitions)"
    image = next(line for line in lines if line.split()[0] == "image")
    assert f"{c.phi['image']:.3f}" in image and image.endswith("dominant")
    assert image.index(f"{c.shares['image']:.3f}") == lines[1].index("share")
    assert lines[4].startswith(f"EDM  {c.edm:.3f} [{c.intervals.edm.low:.3f}, ")
    assert f"{c.interactions['image+text']:+.3f}" in str(c)


def test_an_undefined_result_reads_well(classified):
    text = str(results(classified)["undefined"])
    assert "EDM  undefined: all modalities together score" in text and "None" not in text and "nan" not in text


def test_an_estimated_result_says_so(classified):
    text = str(results(classified)["estimated"])
    assert "coalitions, seed 1)" in text and "estimated from" in text


def test_difference_errors_by_name(classified):
    c = results(classified)["exact"]
    assert c.share_difference_error("image", "text") == c.share_difference_error("text", "image")
    assert c.share_difference_error("text", "text") == 0
    with pytest.raises(ConfigError, match=r"Unknown modality 'txt'\. Did you mean 'text'"):
        c.share_difference_error("image", "txt")
