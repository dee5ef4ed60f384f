"""The explicit backward pass of networks drawn at random, against central differences of their forward pass."""

import numpy as np
import pytest
from drawn_networks import networks
from hypothesis import HealthCheck, Phase, given, settings

import tinynet as tn

LIMIT, AIM = 1e-7, 1e-9
quiet = {"deadline": None, "database": None, "suppress_health_check": [*HealthCheck]}


@given(networks())
@settings(max_examples=60, derandomize=True, **quiet)
def test_every_gradient_of_a_drawn_network(drawn):
    tn.gradcheck(drawn.model, drawn.x, drawn.y, drawn.weights, tolerance=LIMIT, elements=40)


@pytest.mark.nightly
def test_a_thousand_networks(capsys):
    """Another thousand every night, and what the errors were."""
    errors, compared, at_kinks = [], 0, 0

    def checked(drawn):
        try:
            return tn.gradcheck(drawn.model, drawn.x, drawn.y, drawn.weights, tolerance=AIM)
        except tn.GradientError:
            return tn.gradcheck(drawn.model, drawn.x, drawn.y, drawn.weights, tolerance=LIMIT)

    @given(networks())
    @settings(max_examples=1200, phases=[Phase.generate, Phase.shrink], **quiet)
    def hunt(drawn):
        nonlocal compared, at_kinks
        report = checked(drawn)
        errors.append(report.error)
        compared += sum(check.compared for check in report.checks)
        at_kinks += sum(check.at_kinks for check in report.checks)

    hunt()
    assert len(errors) >= 1000
    assert np.mean(np.array(errors) <= AIM) > 0.98
    with capsys.disabled():
        print(f"\n{len(errors)} networks, {compared:,} elements compared, {at_kinks:,} at kinks; relative error: "
              f"median {np.median(errors):.1e}, largest {max(errors):.1e}; "
              f"{np.mean(np.array(errors) <= AIM):.1%} within {AIM:g}")  # fmt: skip
