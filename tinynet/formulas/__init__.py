"""The calculus: every formula of the engine, written once, its derivative beside it.

activations  a = f(z)
losses       of an output y and a target t
updates      of a parameter p by its gradient g
rows         layer normalisation, penalties
vocabulary   the closed set of words that formulas may use
reader       the one checked reading of a formula's source
reading      what it yields
latex        a formula as it stands in a book, printed from that source
unroll       a reading in straight lines, ready for a machine
emit         C99, CUDA C and Python for numba, printed from it
"""
