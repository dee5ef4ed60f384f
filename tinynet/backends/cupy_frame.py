"""The frame: what kernels on the device know about the run, as whole numbers of 8 bytes that they find by place.

A captured graph bakes in addresses and numbers, so all that changes from step to step, or from epoch to epoch, is here.
"""

from __future__ import annotations

LENGTH = 16

STEP = 0  # how many steps the network has taken
ALIVE = 1  # 0 from the first step that is not finite; then nothing is updated
BATCH = 2  # the number of the next batch in this epoch
PLACE = 3  # where its rows begin in ORDER
FAILED = 4  # the number of the batch, from 1, that was not finite
ORDER, X, T, WEIGHTS, OUTPUTS = 5, 6, 7, 8, 9  # addresses: the rows' numbers, the data, what is said of each row or 0
RATES, VALUES = 10, 11  # addresses: each batch's learning rate or 0, and where the sum of losses is noted after each
