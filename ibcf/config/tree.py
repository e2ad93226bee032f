"""A YAML file as plain values, each with its line and column.

Owns the syntax: what breaks the grammar, keys that stand twice, tags, and the bounds on nesting and size. It knows
nothing of what the keys mean. Sequences become tuples, because the models are frozen.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from ibcf.config.fault import Fault

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

Path = tuple[str | int, ...]

FILE_SIZE_BYTES_MAX = 64 * 1024 * 1024
DEPTH_MAX = 32
NODES_MAX = 4_000_000  # an alias counts each time it is used: ten lines of them can stand for billions of values

_TAG = "tag:yaml.org,2002:"
_TRUE = ("true", "yes", "on")
_PLAIN_TEXTS = {  # what the scanner says, and how an operator would say it
    "found character '\\t' that cannot start any token": "a tab cannot indent: use blanks",
    "mapping values are not allowed here": 'a ":" too many: put the value in quotes, or start a new line',
    "found unexpected end of stream": "the file ends inside a quoted text",
    "but found another document": 'only one document a file: take out the "---"',
    "expected <block end>, but found '?'": "a key that is indented differently from those around it",
    "expected <block end>, but found '-'": "a list item that is indented differently from those around it",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something begins; both count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """The values of one file, and where each value and each key stands."""

    file: str
    root: object = None
    faults: list[Fault] = field(default_factory=list)
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    """What stood there for a scalar that is not text, for hints: `+44` was read as the number 44."""

    def fault(self, path: Path, problem: str, *, at_key: bool = False) -> Fault:
        """Return *problem* as a fault at *path*, or at the nearest thing around it that stands in the file."""
        marks = [self.keys.get(path)] if at_key else []
        marks += [self.values.get(path[:length]) for length in range(len(path), -1, -1)]
        mark = next((mark for mark in marks if mark), Mark(1, 1))
        return Fault(self.file, mark.line, mark.column, render(path), problem)

    def get(self, path: Path) -> object:
        """Return the value at *path*, or `None` when there is none."""
        value = self.root
        for part in path:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part)
            elif isinstance(value, tuple) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def find(self, *pattern: str, at: Path = ()) -> Iterator[tuple[Path, object]]:
        """Yield every value under *pattern*, in which `*` is each item of a list (or a lone value instead of one).

        The pattern begins at the value *at*, which is the whole file unless given.
        """
        found: list[tuple[Path, object]] = [(at, self.get(at))]
        for part in pattern:
            following: list[tuple[Path, object]] = []
            for path, value in found:
                if part != "*":
                    if isinstance(value, dict) and part in value:
                        following.append(((*path, part), value[part]))
                elif isinstance(value, tuple):
                    following += [((*path, at), item) for at, item in enumerate(value)]
                elif value is not None:
                    following.append((path, value))
            found = following
        yield from found


def render(path: Path) -> str:
    """Return *path* as people write it.

    >>> render(("peers", 1, "sources", 0))
    'peers[1].sources[0]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse_file(path: pathlib.Path) -> Tree:
    """Read the file at *path*; whatever is wrong with it stands in `Tree.faults`."""
    tree = Tree(str(path))
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_SIZE_BYTES_MAX + 1)
    except OSError as error:
        tree.faults.append(tree.fault((), f"cannot be read: {(error.strerror or str(error)).lower()}"))
        return tree
    if len(content) > FILE_SIZE_BYTES_MAX:
        tree.faults.append(tree.fault((), f"is larger than {FILE_SIZE_BYTES_MAX // 1024 // 1024}MiB"))
        return tree
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8-sig", "replace"))
        tree.faults.append(Fault(tree.file, line, column, "", "is not UTF-8 from here on: save it as UTF-8"))
        return tree
    return parse(text, file=tree.file)


def parse(text: str, *, file: str) -> Tree:
    """Return the values of *text*; what breaks the syntax stands in `Tree.faults`."""
    tree = Tree(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is given again is allowed (YAML 1.2 §7.1)
            node = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    except ReaderError as error:
        line, column = _position(text[: error.position])
        tree.faults.append(Fault(file, line, column, "", "a control character cannot stand here"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        tree.faults.append(Fault(file, line, column, "", _syntax_problem(error)))
    except YAMLError as error:
        tree.faults.append(Fault(file, 1, 1, "", str(error)))
    except RecursionError:
        tree.faults.append(Fault(file, 1, 1, "", f"is nested deeper than {DEPTH_MAX} levels"))
    else:
        if node is None:
            tree.faults.append(Fault(file, 1, 1, "", "is empty"))
        else:
            tree.root = _Builder(tree).value(node, ())
    return tree


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _whole_number(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 10 if digits.lstrip("+-").isdecimal() else 0)


_SCALARS: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() in _TRUE,
    "int": _whole_number,
    "float": lambda text: float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")),
}


def _tag(node: Node) -> str:
    return str(node.tag)


def _syntax_problem(error: MarkedYAMLError) -> str:
    problem = (error.problem or "broken YAML").strip()
    return _PLAIN_TEXTS.get(problem) or (f"{problem} {error.context.strip()}" if error.context else problem)


class _Builder:
    """Turns the node graph into values and notes where each stands."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.nodes = 0
        self.open: set[int] = set()

    def value(self, node: Node, path: Path) -> object:
        self.nodes += 1
        mark = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        # What is left empty stands, for the scanner, where the next thing begins: show its key instead.
        self.tree.values[path] = self.tree.keys.get(path, mark) if node.value == "" else mark
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        problem = None
        if id(node) in self.open:
            problem = "an alias stands inside of what it names"
        elif len(path) >= DEPTH_MAX:
            problem = f"is nested deeper than {DEPTH_MAX} levels"
        elif self.nodes > NODES_MAX:
            problem = f"stands for more than {NODES_MAX} values (aliases of aliases?)"
        elif not _tag(node).startswith(_TAG):
            problem = f"tags are not supported: take out {node.tag}"
        if problem:
            self.complain(path, problem)
            return None
        self.open.add(id(node))
        try:
            return self.sequence(node, path) if isinstance(node, SequenceNode) else self.mapping(node, path)
        finally:
            self.open.remove(id(node))

    def sequence(self, node: SequenceNode, path: Path) -> tuple[object, ...]:
        return tuple(self.value(item, (*path, at)) for at, item in enumerate(node.value))

    def mapping(self, node: Node, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        merged: list[Node] = []
        for key, item in node.value:
            name = key.value if isinstance(key, ScalarNode) else None
            mark = Mark(key.start_mark.line + 1, key.start_mark.column + 1)
            if key.tag == _TAG + "merge":
                merged += item.value if isinstance(item, SequenceNode) else [item]
            elif name is None or key.tag != _TAG + "str":
                fault = Fault(self.tree.file, mark.line, mark.column, render(path), "a key must be text")
                self.tree.faults.append(fault)
            elif name in values:
                first = self.tree.keys[*path, name].line
                fault = Fault(
                    self.tree.file,
                    mark.line,
                    mark.column,
                    render((*path, name)),
                    f"stands twice (first in line {first})",
                )
                self.tree.faults.append(fault)
            else:
                self.tree.keys[*path, name] = mark
                values[name] = self.value(item, (*path, name))
        for source in merged:
            self.merge(source, path, values)
        return values

    def merge(self, source: Node, path: Path, values: dict[str, object]) -> None:
        """Take over from a `<<` what the mapping does not say itself."""
        if not isinstance(source, MappingNode) or id(source) in self.open:
            self.complain(path, "<< needs a mapping, or a list of mappings, that stands elsewhere")
            return
        further: list[Node] = []  # what the source takes over itself comes behind what it says
        for key, item in source.value:
            if key.tag == _TAG + "merge":
                further += item.value if isinstance(item, SequenceNode) else [item]
            elif isinstance(key, ScalarNode) and key.value not in values and key.tag == _TAG + "str":
                self.tree.keys[*path, key.value] = Mark(key.start_mark.line + 1, key.start_mark.column + 1)
                values[key.value] = self.value(item, (*path, key.value))
        self.open.add(id(source))
        try:
            for inner in further:
                self.merge(inner, path, values)
        finally:
            self.open.remove(id(source))

    def scalar(self, node: ScalarNode, path: Path) -> object:
        kind, text = _tag(node).removeprefix(_TAG), str(node.value)
        if kind in {"str", "timestamp"}:
            return text
        self.tree.written[path] = text
        read = _SCALARS.get(kind)
        if read is None:
            self.complain(path, f"tags are not supported: take out {_tag(node).replace(_TAG, '!!')}")
            return None
        try:
            return read(text)
        except ValueError:
            self.complain(path, f"{text[:40]} is not a number that can be used")
            return None

    def complain(self, path: Path, problem: str) -> None:
        self.tree.faults.append(self.tree.fault(path, problem))
