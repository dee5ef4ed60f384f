"""The card tells what the file and the evaluation say, and leaves the rest plainly to its authors."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from tinynet import cli, persistence
from tinynet.tabular import TabularClassifier, TabularRegressor
from tinynet.tabular.card import OPEN, card
from tinynet.tabular.evaluate import evaluate
from tinynet.tabular.evaluation import cell
from tinynet.tabular.predictor import Predictor

QUICK = {"members": 2, "epochs": 3, "random_state": 0, "n_jobs": 1}


@pytest.fixture(scope="module")
def made():
    """(a predictor, an evaluation of the same recipe)."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.uniform(20, 90, 200), "ward|bed": rng.choice(["a", "b"], 200)})
    frame.loc[:19, "age"] = np.nan
    y = np.where(frame["age"].fillna(50) + rng.normal(0, 15, 200) > 55, "ill", "well")
    model = TabularClassifier(**QUICK)
    found = evaluate(model, frame, y, splits=2, draws=20, jobs=1, baselines=False)
    predictor = model.fit(frame, y).predictor_
    predictor.target = "state"
    return predictor, found


def test_facts_are_in_the_card_and_the_rest_is_left_open(made):
    model, found = made
    text = card(model, json.loads(found.to_json()))
    assert text.startswith("# Model card: state\n")
    for fact in (
        "Rows: 200", "each row counted as a person of its own", "| age | numeric, years | 10.0 % |",
        "Classes: ill, well",
        model.facts.fingerprint, found.facts["split"], *found.verdict(), *found.caveats(), "members 2",
        cell(found.ours.measures["AUROC"]), "ward\\|bed",
    ):  # fmt: skip
        assert fact in text
    for row in re.findall(r"^\|.*\|$", text, flags=re.MULTILINE):
        cells = re.split(r"(?<!\\)\|", row)[1:-1]
        assert len(cells) in (2, 3, 4)
        assert all(part.strip() or i < 2 for i, part in enumerate(cells))
    assert text.count(OPEN) > 15
    assert "nan" not in text
    assert "None" not in text


def test_without_an_evaluation_performance_is_left_open(made):
    text = card(made[0])
    assert "No evaluation was given. " + OPEN in text
    assert re.search(rf"^\| 23a \| .* \| {OPEN}performance", text, flags=re.MULTILINE)


# Parts of the items as the published checklist has them (BMJ 2024;385:e078378, table 1), and whom they concern.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
OF_DEVELOPMENT = {"9a", "12a", "12b", "12c", "15", "22", "27a", "27b"}
OF_EVALUATION = {"12f", "12g", "20c", "24"}


@pytest.mark.parametrize("evaluated", [False, True])
def test_the_27_items_of_tripod_ai_stand_in_their_order(made, evaluated):
    text = card(made[0], made[1].to_dict() if evaluated else None)
    found = re.findall(r"^\| (\d+[a-g]?) \| (.*) \| (D|E|D;E) \| (.*) \|$", text, flags=re.MULTILINE)
    expected = [f"{item}{part}" for item in range(1, 28) for part in PARTS.get(item, [""])]
    assert len(expected) == 52
    assert [number for number, *_ in found] == expected
    assert {number for number, _, of, _ in found if of == "D"} == OF_DEVELOPMENT
    assert {number for number, _, of, _ in found if of == "E"} == OF_EVALUATION
    sections = re.findall(r"^### (.*)$|^\| (\d+)a? \|", text, flags=re.MULTILINE)
    first = {sections[i][0]: int(sections[i + 1][1]) for i in range(len(sections)) if sections[i][0]}
    assert first == {
        "Title and abstract": 1, "Introduction": 3, "Methods": 5, "Open science": 18,
        "Patient and public involvement": 19, "Results": 20, "Discussion": 25,
    }  # fmt: skip
    known = {number: said for number, _, _, said in found}
    assert ("AUROC" in known["12e"]) == evaluated
    assert "200 rows; ill" in known["21"]
    assert "1 of 2 columns have gaps" in known["11"]


def test_a_file_without_facts_has_a_card_all_the_same(made):
    tensors, description = made[0].described()
    description.pop("card")
    text = card(Predictor.made(*persistence.read(persistence.packed(tensors, description))))
    assert "kept no facts of the training: " + OPEN in text
    assert "no conformal interval or set" in text


def test_every_kind_of_outcome_has_a_card():
    rng = np.random.default_rng(0)
    table = {"age": rng.uniform(20, 90, 120)}
    for loss in ("squared_error", "gamma", "two-part", "quantile"):
        model = TabularRegressor(loss=loss, **QUICK).fit(table, rng.gamma(2.0, 3.0, 120))
        text = card(model.predictor_)
        assert ("predict_interval" in text) == (loss != "two-part")
        assert "does not apply: an amount" in text
        assert OPEN + "its name" in text


def test_an_evaluation_of_something_else_is_refused(made):
    model, found = made
    with pytest.raises(ValueError, match="named otherwise"):
        card(model, found.to_dict() | {"classes": ["yes", "no"]})
    with pytest.raises(ValueError, match="an evaluation has task"):
        card(model, {"task": "binary"})


def test_the_command(made, tmp_path, capsys):
    model, found = made
    path, numbers, out = (tmp_path / name for name in ("model.safetensors", "evaluation.json", "card.md"))
    model.save(path)
    numbers.write_text(found.to_json(), encoding="utf-8")
    assert cli.main(["card", str(path)]) == 0
    assert capsys.readouterr().out == card(model)
    assert cli.main(["card", str(path), "--evaluation", str(numbers), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == card(model, json.loads(found.to_json()))
    assert f"{out}; {out.read_text(encoding='utf-8').count(OPEN)} places" in capsys.readouterr().out
    numbers.write_text("no JSON", encoding="utf-8")
    assert cli.main(["card", str(path), "--evaluation", str(numbers)]) == 1
    assert "evaluation.json is no JSON file" in capsys.readouterr().err
