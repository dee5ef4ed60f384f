"""Explanations: they add up, they are what is known where the answer is known, and they say so where they are none."""

import itertools
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

import tinynet as tn
from tinynet.cli import main
from tinynet.tabular import Preprocessor, Schema, TabularClassifier, TabularRegressor
from tinynet.tabular.explain import explain, importance, origins, partial_dependence, path
from tinynet.tabular.explain.explanation import percent, rounded
from tinynet.tabular.explain.path import holds, integrated
from tinynet.tabular.explain.reference import typical
from tinynet.tabular.explain.score import Score
from tinynet.tabular.schema import Column

ROWS = 240
GENERATOR = np.random.default_rng(0)
TABLE = {
    "age": GENERATOR.integers(20, 90, ROWS),
    "sex": GENERATOR.choice(["f", "m"], ROWS, p=[0.4, 0.6]),
    "ward": GENERATOR.choice([f"w{i}" for i in range(14)], ROWS),
    "creatinine": np.where(GENERATOR.random(ROWS) < 0.2, np.nan, GENERATOR.lognormal(0, 0.5, ROWS)),
}
RISK = TABLE["age"] / 20 + 2 * (TABLE["sex"] == "m") + np.nan_to_num(TABLE["creatinine"], nan=1.0)
NOISY = RISK + GENERATOR.normal(0, 0.5, ROWS)
SETTINGS = {"epochs": 6, "members": 2, "random_state": 0, "verbose": 0, "backend": "numpy"}
COUNT = GENERATOR.poisson(np.exp(RISK / 4))
COST = np.where(GENERATOR.random(ROWS) < 0.4, 0.0, np.exp(RISK / 2))


@pytest.fixture(scope="module")
def models():
    """One of each kind of outcome."""
    return {
        "two classes": TabularClassifier(**SETTINGS).fit(TABLE, (np.median(NOISY) < NOISY).astype(int)),
        "three classes": TabularClassifier(**SETTINGS).fit(TABLE, np.digitize(NOISY, np.quantile(NOISY, [0.4, 0.7]))),
        "amount": TabularRegressor(**SETTINGS).fit(TABLE, NOISY),
        "count": TabularRegressor(loss="poisson", **SETTINGS).fit(TABLE, COUNT),
        "cost": TabularRegressor(loss="two-part", **SETTINGS).fit(TABLE, COST),
        "quantiles": TabularRegressor(loss="quantile", quantiles=(0.1, 0.5, 0.9), **SETTINGS).fit(TABLE, NOISY),
    }


def row(number):
    return {name: values[number] for name, values in TABLE.items()}


@pytest.mark.parametrize("kind", ["two classes", "three classes", "amount", "count", "cost", "quantiles"])
def test_the_effects_add_up_to_the_difference_of_the_answers(models, kind):
    for number in range(6):
        found = explain(models[kind], TABLE, row=number)
        total = sum(effect.contribution for effect in found.effects)
        assert abs(total + found.residual - (found.score - found.reference)) < 1e-9
        assert abs(found.residual) <= 1e-3 * max(abs(found.score - found.reference), 1e-6)
        assert {effect.column for effect in found.effects} == set(TABLE)
        assert found.members[0] <= found.members[1]


def test_the_answer_is_that_of_the_model(models):
    p = models["two classes"].predict_proba(TABLE)
    assert explain(models["two classes"], TABLE, row=7).answer == pytest.approx(p[7, 1], abs=1e-6)
    assert explain(models["two classes"], TABLE, row=7, of=0).answer == pytest.approx(p[7, 0], abs=1e-6)
    p = models["three classes"].predict_proba(TABLE)
    for label in range(3):
        assert explain(models["three classes"], TABLE, row=7, of=label).answer == pytest.approx(p[7, label], abs=1e-6)
    for kind in ("amount", "count", "cost"):
        assert explain(models[kind], TABLE, row=7).answer == pytest.approx(models[kind].predict(TABLE)[7], rel=1e-5)
    said = models["quantiles"].predict(TABLE)[7]
    assert explain(models["quantiles"], TABLE, row=7).answer == pytest.approx(said[1], rel=1e-5)


CELLS = st.fixed_dictionaries(
    {
        "age": st.one_of(st.integers(-5, 130), st.none()),
        "sex": st.sampled_from(["f", "m", "x", None]),
        "ward": st.sampled_from([*(f"w{i}" for i in range(14)), "unknown", None]),
        "creatinine": st.one_of(st.floats(0, 50), st.none()),
    }
)


@settings(deadline=None, max_examples=40)
@given(CELLS, CELLS)
def test_any_patient_from_any_other(models, patient, other):
    """From one to the other and back again the effects are the same with the other sign."""
    there = explain(models["two classes"], patient, reference=other)
    back = explain(models["two classes"], other, reference=patient)
    assert there.score == pytest.approx(back.reference)
    effects = {effect.column: effect.contribution for effect in back.effects}
    for effect in there.effects:
        assert effect.contribution == pytest.approx(-effects[effect.column], abs=1e-3 * abs(there.score) + 1e-3)


@pytest.mark.parametrize("number", [0, 3, 11])
def test_brute_force_shapley_of_an_additive_model(models, number):
    """Where columns only add up, any fair way of sharing gives the same: all 2^4 coalitions against the integral."""
    predictor = tn.load(packed(models["two classes"]))
    predictor.ensembles[0].share = 0.0  # the additive networks alone
    patient, other = row(number), row(number + 1)
    names = list(TABLE)

    def score(present):
        mixed = {name: patient[name] if name in present else other[name] for name in names}
        p = predictor.predict_proba(mixed)[0, 1]
        return math.log(p / (1 - p))

    found = {e.column: e.contribution for e in explain(predictor, patient, reference=other).effects}
    for name in names:
        rest, value = [n for n in names if n != name], 0.0
        for size in range(len(rest) + 1):
            weight = math.factorial(size) * math.factorial(len(rest) - size) / math.factorial(len(names))
            for chosen in itertools.combinations(rest, size):
                value += weight * (score({*chosen, name}) - score(set(chosen)))
        assert found[name] == pytest.approx(value, abs=2e-5)


def test_the_closed_form_of_a_linear_model(models):
    """Without a hidden layer a column's part is the sum of W_j (x_j - reference_j): by the weights alone."""
    predictor = tn.load(packed(models["amount"]))
    ensemble = predictor.ensembles[0]
    ensemble.share = 0.0
    table = row(5)
    x, start = (
        predictor.pieces(one) for one in (predictor.preprocessor.transform(table), typical(predictor.preprocessor)[0])
    )
    names = origins(predictor, x.shape[1])
    by_hand = dict.fromkeys(TABLE, 0.0)
    for member in ensemble.members["additive"]:
        *embedded, w, _ = member.get_weights()
        columns, ends = [*range(x.shape[1])], [x[0], start[0]]
        if embedded:
            first = member.layers[0]
            others = first.others(x.shape[1])
            columns = [*others, *np.repeat(first.columns, first.output_dim)]
            ends = [
                np.concatenate([e[others], *(t[int(e[c])] for t, c in zip(embedded, first.columns, strict=True))])
                for e in ends
            ]
        parts = w[:, 0].astype(float) * (ends[0].astype(float) - ends[1]) * ensemble.scale * predictor.outcome.deviation
        for column, part in zip(columns, parts, strict=True):
            by_hand[names[column]] += part / len(ensemble.members["additive"])
    for effect in explain(predictor, table).effects:
        assert effect.contribution == pytest.approx(by_hand[effect.column], abs=1e-6)


def packed(model):
    from tinynet import persistence

    return persistence.packed(*model.predictor_.described())


@pytest.mark.parametrize("kind", ["two classes", "three classes", "cost"])
def test_the_slope_is_that_of_the_score(models, kind):
    """Central differences along the way; every column of the table moves by itself in a sum that is the whole slope."""
    predictor = models[kind].predictor_
    x = predictor.pieces(predictor.preprocessor.transform(predictor.table(TABLE)))
    score = Score(predictor, x[:1], x[5:6], 1 if kind != "cost" else 0)
    along, h = np.linspace(0.05, 0.95, 9), 1e-5
    difference = (score(along + h)[0] - score(along - h)[0]) / (2 * h)
    np.testing.assert_allclose(score(along)[1].sum(axis=1), difference, rtol=1e-6, atol=1e-7)


def test_a_form_whose_integral_is_known():
    """f(s) = (a s)(b s): each of the two factors takes half of a b."""
    found = integrated(lambda s: (6.0 * s**2, np.column_stack([6.0 * s, 6.0 * s])))
    np.testing.assert_allclose(found.contributions, [3.0, 3.0], rtol=1e-12)
    assert found.pieces == 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.02, 0.98), min_size=1, max_size=5), st.integers(0, 99))
def test_kinks_are_found(bends, seed):
    """A sum of relu(s - bend), each with its slope shared between columns: piece by piece, as by hand."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(3), len(bends))

    def score(s):
        active = (s[:, None] > bends).astype(float)
        return np.maximum(s[:, None] - bends, 0.0).sum(axis=1), active @ shares

    found = integrated(score)
    assert holds(found)
    by_hand = ((1.0 - np.array(bends))[:, None] * shares).sum(axis=0)
    np.testing.assert_allclose(found.contributions, by_hand, atol=2e-3 * (found.end - found.start))


def test_what_does_not_add_up_is_refused(models, monkeypatch):
    def without_the_last_column(self, w, dz, columns):
        found = real(self, w, dz, columns)
        found[:, 0] *= 0.9
        return found

    from tinynet.tabular.explain import score

    real = score.Member.slope
    monkeypatch.setattr(score.Member, "slope", without_the_last_column)
    monkeypatch.setattr(path, "DEEPEST", 3)
    with pytest.raises(ValueError, match="there is no explanation of this row"):
        explain(models["two classes"], TABLE, row=2)


def test_the_references_code_has_its_own_chapter_and_block():
    """Of 30 codes the most are heart diseases, each another; the most frequent one is diabetes."""
    codes = [f"{410 + i % 20}" for i in range(20)] + ["250"] * 10
    table = {"diag": codes * 5, "age": list(range(150))}
    schema = Schema({"diag": Column("code", codes="icd9"), "age": Column("numeric")})
    preprocessor = Preprocessor(schema).fit(table)
    x, words = typical(preprocessor)
    assert words["diag"] == "250"
    alone = preprocessor.transform({"diag": "250", "age": 74.5})
    np.testing.assert_allclose(x[:, :-1], alone[:, :-1])


def test_the_reference_is_the_median_and_the_most_frequent_kind(models):
    x, words = typical(models["two classes"].predictor_.preprocessor)
    numbers = {name: float(words[name].split()[0]) for name in ("age", "creatinine")}
    assert numbers["age"] == pytest.approx(np.median(TABLE["age"]), abs=0.5)  # the mean of five in the middle
    assert numbers["creatinine"] == pytest.approx(np.nanmedian(TABLE["creatinine"]), rel=0.01)
    assert words["sex"] == "m"
    kinds, counts = np.unique(TABLE["ward"], return_counts=True)
    assert counts[list(kinds).index(words["ward"])] == counts.max()
    patient = {
        "sex": "m",
        "ward": words["ward"],
        **numbers,
    }
    np.testing.assert_allclose(x, models["two classes"].predictor_.preprocessor.transform(patient), atol=1e-3)


def test_words_for_a_gap_and_for_what_is_out_of_range(models):
    found = explain(models["two classes"], {"age": 61, "sex": "m", "ward": "nowhere", "creatinine": None})
    said = str(found)
    assert said.startswith("Risk of the target = 1: ")
    assert "creatinine: missing (compared with " in said
    assert "age: 61" in said
    assert "Missing in 1 of 4 columns: creatinine." in said
    assert "Less firm: ward is of a kind that was rare or unknown in training" in said
    assert "creatinine is missing" not in said  # it is told once
    assert "sex: m (" not in said  # as the reference patient's, so it moves nothing
    whole = explain(models["two classes"], row(3) | {"creatinine": 1.1})
    assert "Nothing is missing, unknown or out of the training rows' range." in str(whole)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "amount", "count", "cost", "quantiles"])
def test_the_lines_that_are_shown_lead_from_the_reference_to_the_answer(models, kind):
    """Factors multiply, amounts add: what is printed, read back with its rounding, gives the printed whole."""
    found = explain(models[kind], TABLE, row=5)
    raises = [c > 0 for words, c in found.lines() if "other columns" not in words]
    assert raises == sorted(raises, reverse=True)
    parts = [line for line in str(found).splitlines() if line.startswith(("  raises", "  lowers"))]
    read = [float(line.split("#")[0].replace("x", "").split()[1]) for line in parts]
    if found.unit == "plus":
        assert sum(read) == pytest.approx(found.score - found.reference, abs=0.01)
    else:
        assert np.prod(read) == pytest.approx(math.exp(found.score - found.reference), rel=0.03)
    assert len(parts) == len(found.lines())


def test_what_is_left_over_is_told(models):
    found = explain(models["amount"], TABLE, row=5)
    assert "not accounted for: under 0.01 % of it" in str(found)
    left = replace(found, residual=7e-4 * (found.score - found.reference))
    assert "not accounted for: 0.07 % of it" in str(left)


def test_the_odds_lead_from_one_risk_to_the_other(models):
    found = explain(models["two classes"], TABLE, row=5)
    odds = found.reference_answer / (1 - found.reference_answer) * math.exp(found.score - found.reference)
    assert odds / (1 + odds) == pytest.approx(found.answer, rel=1e-6)


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0, "under 0.05 %"), (0.0514, "5.1 %"), (0.0996, "10 %"), (0.431, "43 %"), (0.9, "90 %"), (0.986, "98.6 %"),
     (0.99951, "over 99.95 %"), (1.0, "over 99.95 %")],
)  # fmt: skip
def test_risks_as_one_would_say_them(p, words):
    assert percent(p) == words


@pytest.mark.parametrize(
    ("value", "words"), [(42.38498, "42.38"), (1590.0, "1590"), (0.0335, "0.0335"), (12345.6, "12346"), (-3.0, "-3")]
)
def test_four_figures_and_whole_numbers_whole(value, words):
    assert rounded(value) == words


def test_how_sure_says_for_whom_such_an_answer_is_rare(models):
    predictor = models["two classes"].predictor_
    for number in range(40):
        sure = explain(predictor, TABLE, row=number).sure
        zero, one = predictor.predict_set(row(number))[0]
        if zero and one:
            assert sure == "Such an answer is not rare (over 10 %) for any value of the target"
        else:
            rare = ["the target is 0"] * (not zero) + ["the target is 1"] * (not one)
            assert sure.startswith("Such an answer is rare (under 10 %) where ")
            assert all(words in sure or "0 or 1" in sure for words in rare)
    few = TabularRegressor(**SETTINGS).fit({name: values[:12] for name, values in TABLE.items()}, NOISY[:12])
    few.predictor_.conformal.width = np.inf
    assert explain(few, row(3)).sure == ""
    low, high = models["amount"].predictor_.predict_interval(row(3))[0]
    assert f"between {rounded(low)} and {rounded(high)}" in explain(models["amount"], TABLE, row=3).sure


def test_a_dollar_is_a_dollar():
    matplotlib = pytest.importorskip("matplotlib")
    income = np.where(TABLE["sex"] == "m", "under $11k", "$11k ($3)")
    model = TabularClassifier(**SETTINGS).fit({**TABLE, "income": income}, (np.median(NOISY) < NOISY).astype(int))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        page = explain(model, {**row(3), "income": "$11k ($3)"}, reference={**row(3), "income": "under $11k"}).to_html()
    assert "income: $11k ($3) (compared with under $11k)" in page.split("</svg>")[0]


def test_the_reference_of_an_ordinal_is_one_level():
    """Its median level is another one than its most frequent: number and kind must both be the most frequent one's."""
    stage = np.repeat(["I", "II", "III"], [70, 60, 65])
    schema = Schema({"stage": Column("ordinal", levels=["I", "II", "III"])})
    preprocessor = Preprocessor(schema).fit({"stage": stage})
    x, words = typical(preprocessor)
    assert words == {"stage": "I"}
    np.testing.assert_allclose(x, preprocessor.transform({"stage": ["I"]}))


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"row": ROWS}, IndexError, "240 rows"),
        ({"row": -1}, ValueError, "row"),
        ({"of": 7}, ValueError, "class or level"),
    ],
)
def test_bad_requests(models, given, error, told):
    with pytest.raises(error, match=told):
        explain(models["two classes"], TABLE, **given)


def test_only_tabular_models():
    with pytest.raises(TypeError, match="fitted tabular model"):
        explain(tn.Sequential(), TABLE)


def test_importance_knows_what_the_answer_hangs_on(models):
    found = importance(models["amount"], TABLE, NOISY, repeats=3)
    assert next(iter(found)) in ("age", "sex")
    assert found["ward"][0] < 0.1 * found["age"][0]
    with pytest.raises(ValueError, match="one for each of 240 rows"):
        importance(models["amount"], TABLE, NOISY[:-1])


def test_partial_dependence_is_the_mean_with_the_value_set(models):
    values, means = partial_dependence(models["two classes"], TABLE, "sex")
    assert sorted(values) == ["f", "m"]
    by_hand = models["two classes"].predict_proba({**TABLE, "sex": ["m"] * ROWS}).mean(axis=0)
    np.testing.assert_allclose(means[values.index("m")], by_hand, atol=1e-6)
    values, means = partial_dependence(models["amount"], TABLE, "age")
    assert means[-1] > means[0]
    with pytest.raises(KeyError, match="no column"):
        partial_dependence(models["amount"], TABLE, "weight")


def test_the_command(models, tmp_path: Path, capsys):
    models["two classes"].save(tmp_path / "m.safetensors")
    (tmp_path / "new.csv").write_text("age,sex,ward,creatinine\n61,m,w3,\n35,f,w1,0.9\n")
    page = tmp_path / "one.html"
    assert (
        main(["explain", str(tmp_path / "m.safetensors"), str(tmp_path / "new.csv"), "--row", "1", "--out", str(page)])
        == 0
    )
    assert "sex: f (compared with m)" in capsys.readouterr().out
    assert "<svg" in page.read_text()
    assert main(["explain", str(tmp_path / "m.safetensors"), str(tmp_path / "new.csv"), "--row", "9"]) == 1
    assert "2 rows" in capsys.readouterr().err


def test_a_saved_model_is_explained_with_numpy_alone(models, tmp_path: Path):
    models["two classes"].save(tmp_path / "m.safetensors")
    code = (
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'pandas', 'polars', 'narwhals', 'matplotlib', 'numba', 'pyarrow'):\n"
        "    sys.modules[name] = None\n"
        "import tinynet as tn\n"
        "from tinynet.tabular.explain import explain\n"
        "print(explain(tn.load(sys.argv[1]), {'age': 61, 'sex': 'f', 'ward': 'w3', 'creatinine': None}).score)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m.safetensors")], capture_output=True, text=True, check=True
    )
    expected = explain(models["two classes"], {"age": 61, "sex": "f", "ward": "w3", "creatinine": None}).score
    assert float(done.stdout) == pytest.approx(expected, abs=1e-9)
