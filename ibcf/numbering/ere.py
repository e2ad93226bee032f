r"""POSIX extended regular expressions in linear time, for the expressions that zones hand us (RFC 3402 §3.2).

Whoever runs a zone writes these expressions, so no engine that backtracks may run them: one record could stall a thread
(RX-19). An expression becomes a program for a Pike machine, whose work is at most *instructions × characters*; programs
and work are bounded on top of that.

Where POSIX leaves the choice to the longest sub-expression, this takes the first alternative and the greedy repetition,
as GNU sed and Python do (RX-18); that choice is part of the contract and is kept across releases.

What POSIX calls undefined is refused: a repetition with nothing to repeat (RX-15), a backslash before a letter or digit
(RX-17). With ``lenient`` the first is read as that character, and ``\d`` is a digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ibcf.errors import NumberingError

if TYPE_CHECKING:
    from collections.abc import Callable

INSTRUCTIONS_MAX: Final = 1000
"""Bounds the program; 255 octets without counted repetition need at most two thirds of it."""
STEPS_MAX: Final = 5_000
"""Bounds the work of one match; an ordinary record needs a few hundred."""
DEPTH_MAX: Final = 40
"""Bounds the nesting of groups, and so the recursion of the parser."""
REPEAT_MAX: Final = 255
"""RE_DUP_MAX of POSIX."""

_ASCII: Final = frozenset(map(chr, range(1, 128)))
_CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "blank": lambda char: char in " \t",
    "cntrl": lambda char: char < " " or char == "\x7f",
    "digit": str.isdigit,
    "graph": lambda char: "!" <= char <= "~",
    "lower": str.islower,
    "print": lambda char: " " <= char <= "~",
    "punct": lambda char: "!" <= char <= "~" and not char.isalnum(),
    "space": str.isspace,
    "upper": str.isupper,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
}


class EreError(NumberingError):
    """An expression that breaks the grammar, or is too large to run."""


class StepLimitError(NumberingError):
    """A match that would need more work than is allowed."""


class _Op(Enum):
    CHAR = auto()
    SPLIT = auto()
    JUMP = auto()
    SAVE = auto()
    BEGIN = auto()
    END = auto()
    MATCH = auto()


@dataclass(slots=True)
class _Instruction:
    op: _Op
    chars: frozenset[str] = frozenset()
    to: int = 0
    """Where a jump goes, the preferred way of a split, the slot of a save."""
    other: int = 0
    """The way that a split tries second."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where an expression matched, and what its groups hold."""

    start: int
    end: int
    groups: tuple[str | None, ...]
    """Group 1 first; ``None`` when the group took no part."""


@dataclass(frozen=True, slots=True)
class Ere:
    """A compiled expression."""

    groups: int
    _program: tuple[_Instruction, ...]

    def search(self, text: str) -> Match | None:
        """Return the leftmost match in *text*.

        Raises:
            StepLimitError: the bound on the work was reached.
        """
        slots = _run(self._program, text, 2 * (self.groups + 1))
        if slots is None:
            return None
        pairs = zip(slots[2::2], slots[3::2], strict=True)
        groups = tuple(None if start < 0 or end < 0 else text[start:end] for start, end in pairs)
        return Match(slots[0], slots[1], groups)


@lru_cache(maxsize=1024)
def compile_ere(pattern: str, *, ignore_case: bool = False, lenient: bool = False) -> Ere:
    """Compile *pattern*; zones repeat a few expressions over millions of numbers, so the result is kept.

    Raises:
        EreError: the expression breaks the grammar of POSIX ERE, or its program would be too large.
    """
    compiler = _Compiler(pattern, ignore_case=ignore_case, lenient=lenient)
    compiler.compile()
    return Ere(compiler.groups, tuple(compiler.program))


def _run(program: tuple[_Instruction, ...], text: str, width: int) -> tuple[int, ...] | None:  # noqa: C901, PLR0912 - one branch an instruction
    """Run the Pike machine: all threads in step, the preferred first; one that matches cuts those behind it."""
    best: tuple[int, ...] | None = None
    threads: list[tuple[int, tuple[int, ...]]] = []
    steps = 0
    for position in range(len(text) + 1):
        if best is None:
            threads.append((0, (-1,) * width))
        elif not threads:
            break
        char = text[position] if position < len(text) else None
        following: list[tuple[int, tuple[int, ...]]] = []
        seen: set[int] = set()
        stack = threads[::-1]
        while stack:
            counter, slots = stack.pop()
            if counter in seen:
                continue
            seen.add(counter)
            steps += 1
            if steps > STEPS_MAX:
                message = f"the expression needs more than {STEPS_MAX} steps"
                raise StepLimitError(message)
            instruction = program[counter]
            op = instruction.op
            if op is _Op.CHAR:
                if char is not None and char in instruction.chars:
                    following.append((counter + 1, slots))
            elif op is _Op.SPLIT:
                stack.append((instruction.other, slots))
                stack.append((instruction.to, slots))
            elif op is _Op.JUMP:
                stack.append((instruction.to, slots))
            elif op is _Op.SAVE:
                slot = instruction.to
                stack.append((counter + 1, (*slots[:slot], position, *slots[slot + 1 :])))
            elif op is _Op.MATCH:
                best = slots
                break  # threads behind this one are less preferred
            elif position == (0 if op is _Op.BEGIN else len(text)):
                stack.append((counter + 1, slots))
        threads = following
    return best


@dataclass(slots=True)
class _Compiler:
    """Recursive descent over the grammar of POSIX.1 §9.5.3, straight into instructions."""

    pattern: str
    ignore_case: bool
    lenient: bool
    at: int = 0
    groups: int = 0
    depth: int = 0
    program: list[_Instruction] = field(default_factory=list)

    def compile(self) -> None:
        self._emit(_Op.SAVE, to=0)
        self._alternatives()
        if self.at < len(self.pattern):
            raise self._fault("a closing parenthesis without its opening one")
        self._emit(_Op.SAVE, to=1)
        self._emit(_Op.MATCH)

    def _alternatives(self) -> None:
        start = len(self.program)
        ends = []
        self._branch()
        while self._peek() == "|":
            self.at += 1
            self._insert_split(start, other=len(self.program) + 2)
            ends.append(len(self.program))
            self._emit(_Op.JUMP)
            start = len(self.program)
            self._branch()
        for end in ends:
            self.program[end].to = len(self.program)

    def _branch(self) -> None:
        while self._peek() not in {"", "|", ")"}:
            start = len(self.program)
            repeatable = self._atom()
            while (operator := self._peek()) and operator in "*+?{":
                if not repeatable:
                    if not self.lenient:
                        raise self._fault(f"{operator!r} has nothing to repeat; write \\{operator} for the character")
                    break
                self._repeat(start)

    def _atom(self) -> bool:
        """Compile one atom; answer whether it may be repeated."""
        char = self._take()
        if char == "(":
            self._group()
        elif char == "[":
            self._emit_char(self._bracket())
        elif char == ".":
            self._emit_char(_ASCII)
        elif char in "^$":
            self._emit(_Op.BEGIN if char == "^" else _Op.END)
            return False
        elif char == "\\":
            self._emit_char(self._escape())
        elif char in "*+?{":
            if not self.lenient:
                self.at -= 1
                raise self._fault(f"{char!r} has nothing to repeat; write \\{char} for the character")
            self._emit_char(frozenset(char))
        else:
            self._emit_char(frozenset(char))
        return True

    def _group(self) -> None:
        self.groups += 1
        self.depth += 1
        number = self.groups
        if self.depth > DEPTH_MAX:
            raise self._fault(f"groups are nested more than {DEPTH_MAX} deep")
        self._emit(_Op.SAVE, to=2 * number)
        self._alternatives()
        if self._take() != ")":
            raise self._fault("an opening parenthesis without its closing one")
        self._emit(_Op.SAVE, to=2 * number + 1)
        self.depth -= 1

    def _escape(self) -> frozenset[str]:
        char = self._take()
        if char == "":
            raise self._fault("a backslash at the end")
        if char.isalnum():
            if char == "d" and self.lenient:
                return frozenset("0123456789")
            raise self._fault(f"\\{char} is not POSIX; write [0-9], [[:alpha:]] and the like")
        return frozenset(char)

    def _bracket(self) -> frozenset[str]:
        negated = self._peek() == "^"
        if negated:
            self.at += 1
        chars: set[str] = set()
        first = True
        while True:
            char = self._take()
            if char == "":
                raise self._fault("a bracket expression without its end")
            if char == "]" and not first:
                break
            first = False
            if char == "[" and self._peek() in {":", "=", "."}:
                chars |= self._named_class()
                continue
            if self._peek() == "-" and self._peek(1) not in {"", "]"}:
                self.at += 1
                last = self._take()
                if last < char or last > "\x7f" or (last == "[" and self._peek() in {":", "=", "."}):
                    raise self._fault(f"{char}-{last} is no range")
                chars |= set(map(chr, range(ord(char), ord(last) + 1)))
            else:
                chars.add(char)
        if self.ignore_case:
            chars |= {other for char in chars for other in (char.lower(), char.upper())}
        return _ASCII - chars if negated else frozenset(chars)

    def _named_class(self) -> set[str]:
        kind = self._take()
        end = self.pattern.find(kind + "]", self.at)
        name = self.pattern[self.at : end]
        if kind != ":" or end < 0 or name not in _CLASSES:
            raise self._fault(f"[{kind}{name if end >= 0 else ''}...] is not supported; write the characters")
        self.at = end + 2
        return set(filter(_CLASSES[name], _ASCII))

    def _repeat(self, start: int) -> None:
        """Apply the operator at the current place to the instructions from *start*."""
        least, most = self._bounds()
        body = self.program[start:]
        del self.program[start:]
        if len(body) * max(least, most or 0, 1) > INSTRUCTIONS_MAX:
            raise self._fault("the expression is too large")
        for _ in range(least if most is not None else max(least - 1, 0)):
            self._copy(body, start)
        if most is None:
            again = len(self.program)
            if least == 0:
                self._emit(_Op.SPLIT)
            self._copy(body, start)
            if least == 0:
                self._emit(_Op.JUMP, to=again)
                self.program[again].to, self.program[again].other = again + 1, len(self.program)
            else:
                self._emit(_Op.SPLIT, to=again, other=len(self.program) + 1)
            return
        splits = []
        for _ in range(most - least):
            splits.append(len(self.program))
            self._emit(_Op.SPLIT, to=len(self.program) + 1)
            self._copy(body, start)
        for split in splits:
            self.program[split].other = len(self.program)

    def _bounds(self) -> tuple[int, int | None]:
        operator = self._take()
        if operator != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[operator]
        end = self.pattern.find("}", self.at)
        least, comma, most = self.pattern[self.at : max(end, self.at)].partition(",")
        digits = least.isascii() and least.isdigit() and (most == "" or (most.isascii() and most.isdigit()))
        if end < 0 or not digits or len(least) > 3 or len(most) > 3:
            raise self._fault("an interval is written {2}, {2,} or {2,4}")
        low = int(least)
        high = low if not comma else int(most) if most else None
        if max(low, high or 0) > REPEAT_MAX or (high is not None and high < low):
            raise self._fault(f"an interval goes up to {REPEAT_MAX}, the smaller number first")
        self.at = end + 1
        return low, high

    def _copy(self, body: list[_Instruction], origin: int) -> None:
        """Append *body*, whose jumps were made for *origin*, at the end."""
        shift = len(self.program) - origin
        for instruction in body:
            moves = instruction.op in {_Op.SPLIT, _Op.JUMP}
            to = instruction.to + shift if moves else instruction.to
            self._emit(instruction.op, instruction.chars, to, instruction.other + shift if moves else 0)

    def _insert_split(self, at: int, *, other: int) -> None:
        """Put a split before the instructions from *at* on; their own jumps move with them."""
        body = self.program[at:]
        del self.program[at:]
        self._emit(_Op.SPLIT, to=at + 1, other=other)
        self._copy(body, at)

    def _emit_char(self, chars: frozenset[str]) -> None:
        if self.ignore_case:
            chars |= {other for char in chars if char.isascii() for other in (char.lower(), char.upper())}
        self._emit(_Op.CHAR, chars)

    def _emit(self, op: _Op, chars: frozenset[str] = frozenset(), to: int = 0, other: int = 0) -> None:
        if len(self.program) >= INSTRUCTIONS_MAX:
            raise self._fault("the expression is too large")
        self.program.append(_Instruction(op, chars, to, other))

    def _peek(self, ahead: int = 0) -> str:
        return self.pattern[self.at + ahead : self.at + ahead + 1]

    def _take(self) -> str:
        char = self._peek()
        self.at += 1
        return char

    def _fault(self, problem: str) -> EreError:
        return EreError(f"bad expression at character {min(self.at, len(self.pattern)) + 1}: {problem}")
