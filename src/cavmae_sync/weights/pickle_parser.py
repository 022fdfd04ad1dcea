"""A pickle read as data: plain values as they are, tensors as references into the file.

A pickle is a program for a small machine with a stack; loading one runs whatever it names. This machine can
neither import nor call. Where a pickle names a function or a class, the name is kept, and what would be made
with it is a `Skipped` of that name. The few functions by which torch describes tensors are known by name.

`torch.load(weights_only=True)` refuses files that hold anything beside tensors, such as an
`argparse.Namespace` or a numpy scalar. Checkpoints of training often do; here their tensors are read.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from cavmae_sync.weights.tensor_refs import (
    DamagedPickleError,
    GlobalName,
    Skipped,
    StorageRef,
    parse_storage,
    rebuild,
)

#: Most instructions of one pickle: bounds time and memory. A ViT-B with its optimiser has some 50,000.
_MAX_STEPS: Final = 2_000_000
#: Most bytes of a whole number.
_LONGEST_NUMBER: Final = 32

_MARK: Final = object()


@dataclass(frozen=True, slots=True, eq=False)
class ParsedPickle:
    """Content of one pickle.

    Attributes:
        content: `TensorRef`, `Skipped`, plain values, and lists, tuples and dictionaries of them.
            Dictionaries have texts, numbers and `Skipped` as keys.
        stop: Byte after the pickle.
        storages: Storages that it names, by key.
    """

    content: Any
    stop: int
    storages: dict[str, StorageRef]


def parse_pickle(data: bytes, *, start: int = 0) -> ParsedPickle:
    """Read one pickle.

    Args:
        data: Bytes that contain it.
        start: Its first byte.

    Raises:
        DamagedPickleError: It is damaged, or larger than is allowed.
    """
    machine = _Machine(data, start)
    try:
        return ParsedPickle(machine.run(), machine.position, machine.storages)
    except (IndexError, KeyError, TypeError, UnicodeDecodeError, struct.error) as error:
        raise DamagedPickleError(f"its pickle is damaged at byte {machine.position}") from error


class _Machine:
    """The stack machine of pickle, protocols 1 to 5, as far as torch.save and pickle.dump go."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.position = data, start
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, StorageRef] = {}

    def run(self) -> Any:
        """Follow the instructions to the end, and give the value on the stack."""
        for _ in range(_MAX_STEPS):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code not in _STEPS:
                raise DamagedPickleError(
                    f"its pickle has an instruction {code!r} that torch.save never writes"
                )
            _STEPS[code](self)
        raise DamagedPickleError(f"its pickle has more than {_MAX_STEPS} instructions")

    def take(self, count: int) -> bytes:
        """Take the next bytes."""
        if not 0 <= count <= len(self.data) - self.position:
            raise DamagedPickleError("its pickle ends too early")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, form: str) -> int:
        """Take the next whole number, of a format of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Take the rest of a line."""
        stop = self.data.find(b"\n", self.position)
        return self.take(stop + 1 - self.position)[:-1].decode()

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop_to_mark(self) -> list[Any]:
        """Take the values above the last mark."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise DamagedPickleError("its pickle has a mark too few")
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found


def _long(machine: _Machine, count: int) -> None:
    if count > _LONGEST_NUMBER:
        raise DamagedPickleError(f"its pickle has a number of {count} bytes")
    machine.push(int.from_bytes(machine.take(count), "little", signed=True))


def _put(machine: _Machine, place: int) -> None:
    machine.memo[place] = machine.stack[-1]


def _set_items(machine: _Machine, pairs: Sequence[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict):
        return  # items of a value that was skipped
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        is_plain = key is None or isinstance(key, (str, int, float))
        # Other keys may take forever to hash: tuples of tuples of tuples.
        target[key if is_plain else Skipped(_kind(key))] = value


def _append(machine: _Machine, values: Sequence[Any]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(values)


def _dict(machine: _Machine) -> None:
    pairs = machine.pop_to_mark()
    machine.push({})
    _set_items(machine, pairs)


def _reduce(machine: _Machine) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.push(rebuild(function, arguments))


def _storage(machine: _Machine) -> None:
    found = parse_storage(machine.stack.pop())
    machine.push(found)
    if isinstance(found, StorageRef):
        machine.storages[found.key] = found


def _build(machine: _Machine) -> None:
    machine.stack.pop()  # state of an object; tensors and plain values have none


def _new(machine: _Machine) -> None:
    machine.stack.pop()
    _skip_class(machine, machine.stack.pop())


def _new_with_words(machine: _Machine) -> None:
    machine.stack.pop()
    _new(machine)


def _object(machine: _Machine) -> None:
    _skip_class(machine, machine.pop_to_mark()[0])


def _instance(machine: _Machine) -> None:
    name = f"{machine.line()}.{machine.line()}"
    machine.pop_to_mark()
    machine.push(Skipped(name))


def _skip_class(machine: _Machine, kind: Any) -> None:
    machine.push(Skipped(kind.text if isinstance(kind, GlobalName) else "an object"))


def _extension(form: str) -> "Step":
    return lambda machine: machine.push(GlobalName(f"extension {machine.number(form)}"))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise DamagedPickleError("its pickle names a function by something else than text")
    machine.push(GlobalName(f"{module}.{name}"))


def _skip_set(machine: _Machine) -> None:
    machine.push(Skipped("set"))


def _pop_tuple(count: int) -> "Step":
    def step(machine: _Machine) -> None:
        values = tuple(machine.stack[-count:])
        if len(values) < count:
            raise DamagedPickleError("its pickle has a value too few")
        del machine.stack[-count:]
        machine.push(values)

    return step


def _text(form: str) -> "Step":
    return lambda machine: machine.push(machine.take(machine.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str) -> "Step":
    return lambda machine: machine.push(machine.take(machine.number(form)))


def _whole(form: str) -> "Step":
    return lambda machine: machine.push(machine.number(form))


def _value(value: Any) -> "Step":
    return lambda machine: machine.push(value)


def _kind(value: Any) -> str:
    return value.name if isinstance(value, Skipped) else type(value).__name__


def _no_protocol_above_5(machine: _Machine) -> None:
    if (version := machine.number("<B")) > 5:
        raise DamagedPickleError(f"its pickle has protocol {version}; 5 is the last that is known")


def _never(_: _Machine) -> NoReturn:
    raise DamagedPickleError("its pickle has parts outside of the file")


Step = Callable[[_Machine], object]

_STEPS: Final[dict[bytes, Step]] = {
    b"\x80": _no_protocol_above_5,
    b"\x95": lambda m: m.take(8),  # length of a frame
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: m.stack.pop(),
    b"1": lambda m: m.pop_to_mark(),
    b"2": lambda m: m.push(m.stack[-1]),
    b"N": _value(None),
    b"\x88": _value(value=True),
    b"\x89": _value(value=False),
    b"J": _whole("<i"),
    b"K": _whole("<B"),
    b"M": _whole("<H"),
    b"\x8a": lambda m: _long(m, m.number("<B")),
    b"\x8b": lambda m: _long(m, m.number("<i")),
    b"G": _whole(">d"),
    b"X": _text("<I"),
    b"\x8c": _text("<B"),
    b"\x8d": _text("<Q"),
    b"B": _bytes("<I"),
    b"C": _bytes("<B"),
    b"\x8e": _bytes("<Q"),
    b"\x96": _bytes("<Q"),
    b"T": _bytes("<i"),
    b"U": _bytes("<B"),
    b")": _value(()),
    b"t": lambda m: m.push(tuple(m.pop_to_mark())),
    b"\x85": _pop_tuple(1),
    b"\x86": _pop_tuple(2),
    b"\x87": _pop_tuple(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.pop_to_mark()),
    b"a": lambda m: _append(m, [m.stack.pop()]),
    b"e": lambda m: _append(m, m.pop_to_mark()),
    b"}": lambda m: m.push({}),
    b"d": _dict,
    b"s": lambda m: _set_items(m, _last_two(m)),
    b"u": lambda m: _set_items(m, m.pop_to_mark()),
    b"\x8f": _skip_set,
    b"\x90": lambda m: m.pop_to_mark(),
    b"\x91": lambda m: (m.pop_to_mark(), _skip_set(m)),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"q": lambda m: _put(m, m.number("<B")),
    b"r": lambda m: _put(m, m.number("<I")),
    b"\x94": lambda m: _put(m, len(m.memo)),
    b"c": lambda m: m.push(GlobalName(f"{m.line()}.{m.line()}")),
    b"\x93": _stack_global,
    b"R": _reduce,
    b"\x81": _new,
    b"\x92": _new_with_words,
    b"b": _build,
    b"i": _instance,
    b"o": _object,
    b"Q": _storage,
    b"\x82": _extension("<B"),
    b"\x83": _extension("<H"),
    b"\x84": _extension("<i"),
    b"\x97": _never,
    b"\x98": _never,
}


def _last_two(machine: _Machine) -> list[Any]:
    value, key = machine.stack.pop(), machine.stack.pop()
    return [key, value]
