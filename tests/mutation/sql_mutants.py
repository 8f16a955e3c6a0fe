"""Mutants of the SQL: each is one of our files with one small error.

A mutant changes one comparison, kind of join, literal, aggregate, condition or branch of a CASE.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

_DIALECT = "duckdb"
#: comparison -> the ones that a person may write by mistake
_COMPARISONS: dict[type[exp.Expression], tuple[type[exp.Expression], ...]] = {
    exp.EQ: (exp.NEQ,),
    exp.NEQ: (exp.EQ,),
    exp.LT: (exp.LTE, exp.GT),
    exp.LTE: (exp.LT,),
    exp.GT: (exp.GTE, exp.LT),
    exp.GTE: (exp.GT,),
    exp.NullSafeEQ: (exp.NullSafeNEQ,),
    exp.NullSafeNEQ: (exp.NullSafeEQ, exp.NEQ),
    exp.And: (exp.Or,),
    exp.Or: (exp.And,),
    exp.Add: (exp.Sub,),
    exp.Sub: (exp.Add,),
}
_AGGREGATES: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.Min: exp.Max,
    exp.Max: exp.Min,
    exp.Sum: exp.Max,
    exp.ArgMin: exp.ArgMax,
    exp.ArgMax: exp.ArgMin,
    exp.LogicalAnd: exp.LogicalOr,
    exp.LogicalOr: exp.LogicalAnd,
}

#: changes a node, or a copy of it, and returns what takes its place
Change = Callable[[exp.Expression], exp.Expression | None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small error in one file."""

    #: from the folder of the queries, without its ending
    file: str
    #: what was changed, with the text around it; unique in the file
    name: str
    #: text of the whole file
    sql: str

    @property
    def key(self) -> str:
        """Name by which a list of mutants knows it."""
        return f"{self.file}: {self.name}"


def rewritten(text: str) -> str:
    """The statements of a file as the parser writes them: the text that mutants differ from."""
    return _written(_parsed(text))


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """All mutants of a file."""
    trees = _parsed(text)
    names: dict[str, int] = {}
    plain = _written(trees)
    for number, tree in enumerate(trees):
        for place, node in enumerate(tree.walk()):
            for what, change in _changes(node):
                copy = tree.copy()
                target = _node_at(copy, place)
                changed = change(target)
                if changed is not target:
                    if target is copy:
                        continue
                    target.replace(changed)
                sql = _written([*trees[:number], copy, *trees[number + 1 :]])
                if sql == plain:
                    continue
                around = node.parent if isinstance(node, exp.Literal) and node.parent else node
                name = f"{what} in {' '.join(around.sql(_DIALECT, comments=False).split())[:100]}"
                names[name] = names.get(name, 0) + 1
                if names[name] > 1:
                    name += f" (#{names[name]})"
                yield Mutant(file, name, sql)


def queries_below(folder: Path) -> dict[str, str]:
    """Name -> text of every SQL file."""
    return {
        str(path.relative_to(folder).with_suffix("")): path.read_text()
        for path in sorted(folder.rglob("*.sql"))
    }


def _parsed(text: str) -> list[exp.Expression]:
    return [tree for tree in sqlglot.parse(text, dialect=_DIALECT) if tree is not None]


def _written(trees: list[exp.Expression]) -> str:
    return "".join(tree.sql(_DIALECT, comments=False) + ";\n" for tree in trees)


def _node_at(tree: exp.Expression, place: int) -> exp.Expression:
    return next(node for number, node in enumerate(tree.walk()) if number == place)


def _changes(node: exp.Expression) -> Iterator[tuple[str, Change]]:
    """What can be done wrong at this node: its name, and how to do it."""
    kind = type(node)
    for other in _COMPARISONS.get(kind, ()):
        yield f"{node.key} -> {other.key}", _as(other)
    if kind in _AGGREGATES:
        yield f"{node.key} -> {_AGGREGATES[kind].key}", _as(_AGGREGATES[kind])
    if isinstance(node, exp.Not):
        yield "without NOT", lambda each: each.this
    elif isinstance(node, exp.Join):
        yield from _joins(node)
    elif isinstance(node, exp.Literal):
        yield from _literals(node)
    elif isinstance(node, exp.Boolean):
        yield "turned round", lambda each: exp.Boolean(this=not each.this)
    elif isinstance(node, exp.In) and len(node.expressions) > 1:
        for number, one in enumerate(node.expressions):
            yield f"without {one.sql(_DIALECT)}", _without(number)
    elif isinstance(node, exp.Case):
        for number in range(len(node.args["ifs"])):
            yield f"without branch {number + 1}", _without_branch(number)
    elif isinstance(node, exp.Coalesce):
        yield "only the first value", lambda each: each.this
    elif isinstance(node, exp.Distinct) and isinstance(node.parent, exp.Select):
        yield "without DISTINCT", _dropped
    elif isinstance(node, exp.Where | exp.Having):
        yield "without it", _dropped
    elif isinstance(node, exp.Filter):
        yield "without FILTER", lambda each: each.this


def _joins(node: exp.Join) -> Iterator[tuple[str, Change]]:
    side, kind = node.args.get("side"), node.args.get("kind")
    if side == "LEFT" and not kind:
        yield "LEFT JOIN -> JOIN", _with("side", None)
    elif kind == "ANTI":
        yield "ANTI JOIN -> SEMI JOIN", _with("kind", "SEMI")
    elif kind == "SEMI":
        yield "SEMI JOIN -> ANTI JOIN", _with("kind", "ANTI")
    elif side == "FULL":
        yield "FULL JOIN -> LEFT JOIN", _with("side", "LEFT")
    elif (
        not side and kind in (None, "", "INNER") and (node.args.get("on") or node.args.get("using"))
    ):
        yield "JOIN -> LEFT JOIN", _with("side", "LEFT")


def _literals(node: exp.Literal) -> Iterator[tuple[str, Change]]:
    if node.is_string:
        yield f"'{node.this}' -> other text", lambda each: exp.Literal.string(f"{each.this}~")
    elif node.is_int:
        yield f"{node.this} + 1", lambda each: exp.Literal.number(int(each.this) + 1)
    else:
        yield f"{node.this} + 0.01", lambda each: exp.Literal.number(float(each.this) + 0.01)


def _as(other: type[exp.Expression]) -> Change:
    def change(node: exp.Expression) -> exp.Expression:
        made = other()
        for key, value in node.args.items():
            made.set(key, value)
        return made

    return change


def _with(key: str, value: object) -> Change:
    def change(node: exp.Expression) -> exp.Expression:
        node.set(key, value)
        return node

    return change


def _without(number: int) -> Change:
    def change(node: exp.Expression) -> exp.Expression:
        node.set("expressions", [e for n, e in enumerate(node.expressions) if n != number])
        return node

    return change


def _without_branch(number: int) -> Change:
    def change(node: exp.Expression) -> exp.Expression:
        left = [each for n, each in enumerate(node.args["ifs"]) if n != number]
        if not left:
            return node.args.get("default") or exp.Null()
        node.set("ifs", left)
        return node

    return change


def _dropped(node: exp.Expression) -> None:
    return None
