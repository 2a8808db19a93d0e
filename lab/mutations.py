"""Small faults that can be planted in a module's source: one operator, comparison, constant, condition, answer or
statement changed at a time.

What belongs here: which faults there are. What does not: running tests against them (`lab.mutants`).
Left alone are docstrings, annotations, imports, and the texts of errors and f-strings: their wording is no decision.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault: the `number`-th that `mutations` finds in the source of `module`, and what it changes in words."""

    module: str
    number: int
    line: int
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.was} → {self.now}"


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


def mutations(module: str, source: str) -> list[Mutation]:
    """All faults that can be planted in a module, in the order of its text."""
    tree = ast.parse(source)
    return [
        Mutation(module, number, _line(old), _text(old), _text(new))
        for number, (old, new) in enumerate(_replacements(tree))
    ]


def planted(source: str, mutation: Mutation) -> ast.Module:
    """The module with this one fault. Raises IndexError when the source has no such fault."""
    tree = ast.parse(source)
    old, new = list(_replacements(tree))[mutation.number]
    ast.copy_location(new, old)
    mutated = _Replace(old, new).visit(tree)
    ast.fix_missing_locations(mutated)
    assert isinstance(mutated, ast.Module)
    return mutated


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


def _line(node: ast.AST) -> int:
    found: int = node.iter.lineno if isinstance(node, ast.comprehension) else getattr(node, "lineno", 0)
    return found


def _text(node: ast.AST) -> str:
    written = " ".join(ast.unparse(node).split())
    return written if len(written) <= 90 else written[:87] + "…"


def _replacements(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every (node, what stands there instead), depth first; a node may come several times."""
    for node in _walk(tree):
        yield from ((node, new) for new in _instead(node))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Raise):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    skipped: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef):
        skipped += [node.returns, *node.decorator_list]
    elif isinstance(node, ast.ClassDef):
        skipped += [*node.bases, *node.decorator_list]
    elif isinstance(node, ast.AnnAssign):
        skipped += [node.annotation]
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.arg) and not any(child is each for each in skipped):
            yield child


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            yield _changed(node, ops=[_COMPARISONS[type(op)]()])
        case ast.BoolOp(op=op):
            yield _changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield copy.deepcopy(operand)
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OPERATORS and not _is_type(node):
            yield _changed(node, op=_OPERATORS[type(op)]())
        case ast.Constant(value=bool() | int() | float() | str() as value):
            yield ast.Constant(_other(value))
        case ast.IfExp(body=body, orelse=orelse):
            yield _changed(node, body=orelse, orelse=body)
        case ast.comprehension(ifs=[_, *_]):
            yield _changed(node, ifs=[])
        case ast.If(test=test) | ast.While(test=test) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield _changed(node, test=ast.UnaryOp(ast.Not(), test))
    yield from _other_statement(node)


def _is_type(node: ast.AST) -> bool:
    """`A | B` of classes, as in isinstance and in aliases: no arithmetic."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _names_class(node.right)


def _names_class(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name[:1].isupper() or isinstance(node, ast.Constant) or name in ("str", "int", "bool", "float")


def _other_statement(node: ast.AST) -> Iterator[ast.AST]:
    """An answer that is none, and statements that are left out."""
    match node:
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield ast.Pass()


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(other, name, copy.deepcopy(value))
    return other


def _other(value: object) -> str | bool | int | float:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}XX"
