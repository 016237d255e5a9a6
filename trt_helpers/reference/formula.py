"""Formulas of dimensions, such as ``2*sequence`` or ``floor(width/2)``: read and computed, never executed.

A plan may come from anywhere, so size, depth and the numbers on the way are bounded.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping
from functools import lru_cache

_LARGEST = 2**63
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS = {"floor": math.floor, "ceiling": math.ceil, "Max": max, "Min": min, "Mod": operator.mod}


@lru_cache(maxsize=4096)
def _parse(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except (RecursionError, MemoryError):
        raise ValueError("nested too deeply") from None


def evaluate(formula: str, sizes: Mapping[str, int]) -> int:
    """The value of a formula for these sizes.

    Raises:
        KeyError: a name without a size. ValueError, SyntaxError: not arithmetic, or no sensible size.
    """
    try:
        return int(_value(_parse(formula), sizes))
    except (RecursionError, ArithmeticError, TypeError) as error:
        raise ValueError(f"no size: {error}") from None


def _value(node: ast.AST, sizes: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return sizes[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, sizes)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _computed(type(op), _value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, sizes) for arg in args))
    raise ValueError(f"not arithmetic: {type(node).__name__}")


def _computed(op: type, left: float, right: float) -> float:
    if op is ast.Pow and not 0 <= right <= 63 or abs(left) > _LARGEST or abs(right) > _LARGEST:
        raise ValueError("too large")
    return _OPERATORS[op](left, right)
