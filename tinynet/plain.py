r"""The LaTeX that this package prints, as plain text for a terminal: \frac{\partial L}{\partial W_{1}} is ∂L/∂W₁."""

from __future__ import annotations

import re
from collections.abc import Iterator

SIGNS = {
    "partial": "∂", "odot": "⊙", "top": "T", "leftarrow": "←", "cdot": "·", "cdots": "⋯", "ldots": "…", "times": "×",
    "sum": "Σ", "leq": "≤", "geq": "≥", "neq": "≠", "in": "∈", "to": "→", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "zeta": "ζ", "left": "", "right": "", "mathrm": "", "text": "", "operatorname": "", ",": " ", ";": " ", ":": " ",
    "{": "{", "}": "}", "|": "‖", "_": "_", "\\": ",",
}  # fmt: skip
BELOW = str.maketrans("0123456789+-=(),aeijkmnx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎,ₐₑᵢⱼₖₘₙₓ")
ABOVE = str.maketrans("0123456789+-=()Tn", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵀⁿ")
TOKENS = re.compile(r"\\partial|\\[A-Za-z]+|\\.|[{}^_&]|[^\\{}^_&]")


def plain(latex: str) -> str:
    r"""A line of LaTeX as text.

    >>> plain(r"\mathrm{d}W_{1} = \frac{\partial L}{\partial W_{1}} = x^{\top}\, \mathrm{d}z_{1}")
    'dW₁ = ∂L/∂W₁ = xᵀ dz₁'
    >>> plain(r"\mathrm{sigmoid}(z_{2}) = \frac{1}{1 + e^{-z_{2}}}")
    'sigmoid(z₂) = 1/(1 + e^(-z₂))'
    """
    text = _text(iter(TOKENS.findall(latex.replace(r"\partial ", r"\partial"))))
    return re.sub(r"\s+", " ", text).replace(" ,", ",").strip()


def _text(tokens: Iterator[str]) -> str:
    """The text up to the end of the group."""
    parts: list[str] = []
    for token in tokens:
        if token == "}":
            break
        parts.append(_one(token, tokens))
    return "".join(parts)


def _one(token: str, tokens: Iterator[str]) -> str:
    """What the token, with what it takes, reads like."""
    if token == "{":
        return _text(tokens)
    if token in "^_":
        return _small(_argument(tokens), token)
    if token == r"\frac":
        return f"{_held(_argument(tokens))}/{_held(_argument(tokens))}"
    if token == r"\sqrt":
        root = _argument(tokens)
        return f"√{root}" if root.isalnum() else f"√({root})"
    if token == r"\hat":
        under = _argument(tokens)
        return f"{under[:1]}\N{COMBINING CIRCUMFLEX ACCENT}{under[1:]}"
    if token in (r"\begin", r"\end"):
        kind = _argument(tokens)
        return ("{ " if token == r"\begin" else " }") if kind == "cases" else ""
    if token == "&":
        return " "
    return SIGNS.get(token[1:], token[1:]) if token[0] == "\\" else token


def _argument(tokens: Iterator[str]) -> str:
    return _one(next(tokens, ""), tokens)


def _held(text: str) -> str:
    """In parentheses where a division would take a part of it alone."""
    return f"({text})" if re.search(r"[ +·-]", text.strip("-")) else text


def _small(text: str, side: str) -> str:
    """Above or below the line, where the letters for it exist."""
    small = text.translate(ABOVE if side == "^" else BELOW)
    if not any(letter in text for letter in small if letter != ","):
        return small
    return f"{side}{text}" if text.isalnum() or side == "_" else f"{side}({text})"
