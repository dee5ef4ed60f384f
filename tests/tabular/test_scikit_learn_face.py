"""The estimators are scikit-learn's in full: its own checks say so, each exception with its reason."""

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinynet.tabular import TabularClassifier, TabularRegressor

STOPPING = "parts held out for early stopping are drawn among rows, and a row of weight 2 is not two rows there"
ROUNDING = "networks are float32, whose products round by a row's place in the batch: 1e-7, where the check has 1e-9"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": STOPPING,
    "check_methods_sample_order_invariance": ROUNDING,
    "check_methods_subset_invariance": ROUNDING,
}


def expected(estimator: Any) -> dict[str, str]:
    return EXPECTED


@pytest.mark.filterwarnings("ignore:class_weight makes the rare class look more common")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@parametrize_with_checks(
    [
        TabularClassifier(members=2, epochs=12, learning_rate=0.01),
        TabularRegressor(members=2, epochs=12, learning_rate=0.01),
    ],
    expected_failed_checks=expected,
)
def test_check(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
