"""The GPU's kernels and calls, on an emulated device, agree with NumPy: every layer, loss, optimizer, precision."""

import pytest
from device_cases import cases
from paired_devices import COMPILER, driver_for

pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++) to run the GPU's kernels on the CPU")
NAMES = list(cases("float64"))


@pytest.fixture(scope="module", params=["float32", "float64"])
def device(request):
    """Every case, and a device with all their kernels, compiled once."""
    known = cases(request.param)
    return known, driver_for(known.values())


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_numpy(device, name):
    known, driver = device
    known[name].agree(driver)
