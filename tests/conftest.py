"""Hypothesis draws the same examples in every run of `make test`, so that a change is judged by what it changes.

`make nightly` sets TINYNET_HUNT and draws new ones.
"""

import os

from hypothesis import settings

settings.register_profile("same every time", derandomize=True, deadline=None)
settings.register_profile("hunt", deadline=None)
settings.load_profile("hunt" if os.environ.get("TINYNET_HUNT") else "same every time")
