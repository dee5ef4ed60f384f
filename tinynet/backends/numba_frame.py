"""The frame: what one thread knows about the rows it works on, as 64 numbers of 8 bytes that kernels find by place.

A float64 among them is kept as its bits. Each thread has a frame of its own, on cache lines of its own.
"""

from __future__ import annotations

LENGTH = 64

# Of the block of rows that is going through the network
ROWS = 0  # how many
FIRST_ROW = 1  # the number in the batch of the first
ORDER = 2  # the address of the rows' numbers in the data
FRESH = 3  # 1 in a step's first block, where sums over samples begin anew; later blocks add to them
BETA32, BETA64 = 4, 5  # the same for BLAS, which multiplies what was there: 0.0 or 1.0 in either precision
TOTAL = 6  # float64: rows in the whole batch

# Of the training
STEP = 8
ALIVE = 9
VALUE = 10  # float64: the sum of this thread's losses

# Where the data of this run are
X, T, WEIGHTS, OUTPUTS = 12, 13, 14, 15
ORDER_START, ORDER_LENGTH = 16, 17

# How the thread goes about it
THREAD, THREADS = 20, 21
COUNTER = 22  # the address of the barrier's counter
BESIDE = 64  # bytes behind the counter stands the sign to give up
TARGET = 23  # what the counter comes to when all have met
YIELD = 24  # the address of a function that lets another thread have the core
SAMPLE_ROWS, SAMPLE_COUNT = 25, 26  # the operations on samples, which every block of rows goes through
STEP_ROWS, STEP_COUNT = 27, 28  # the operations on parameters, once a step
BATCH, BLOCK = 29, 30
NEXT, END = 31, 32  # batches: the next one, and the one to stop before
RATES = 36  # the address of each batch's learning rate, where a schedule sets it, else 0
VALUES = 35  # where VALUE is noted after each batch
STATUS = 33  # 1 where the thread gave up
SELF = 34  # the frame's own address

FRAME_ROWS = -1  # as an argument: the number of rows that the frame tells, those of the block
CALL, BLAS, MEET = 0, 1, 2  # what a row of the program is: a kernel, a product of matrices, a barrier
