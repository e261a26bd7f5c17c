"""The rules of the house: floors, doors, room cards, sizes, and who may touch ctypes, pykka and Python.h."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tinybeam"

# From the ground up; a room may import from the floors below its own. `testing` stands above `cli`, since it finds an
# app as the command line does.
FLOORS = [
    {"errors"},
    {"config", "contract"},
    {"process", "http", "native"},
    {"files"},
    {"router", "plugs", "portable"},
    {"server"},
    {"cli"},
    {"testing"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# The front door and `python -m tinybeam` belong to no room: they may import every door, and nobody imports them.
OUTSIDE = {"tinybeam", "tinybeam.__main__"}
# The rooms that may know what an actor is made of; in `server` only the server itself is one.
PYKKA_ROOMS = {"process", "server"}
# pytest loads the plugin at every start, so it imports what a fixture needs in the fixture.
# ctypes is imported only where the native engine is wanted: not every Python has it.
LATE_IMPORTS_ALLOWED = {"tinybeam.testing.plugin", "tinybeam.server.engines"}

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
CARD_PYTHON_FILES = [*PYTHON_FILES, ROOT / "mix_like_tasks.py", *sorted((ROOT / "benchmarks").glob("*.py"))]
C_FILES = sorted((ROOT / "native").rglob("*.[ch]"))

PYTHON_FUNCTION_LINES_MAX = 60
C_FUNCTION_LINES_MAX = 70
PYTHON_FILE_LINES_MAX = 400
C_FILE_LINES_MAX = 500
FILE_LINES_MEDIAN_MAX = 150

# A C function begins in the first column and its body ends with a brace there; our clang-format style sees to it.
C_FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][^;={}#/]*?\b(?P<name>\w+)\([^;{}]*\)) \{\n(?P<body>.*?)^\}", re.M | re.S)


def name_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in PYTHON_FILES}


def room_of(module: str) -> str:
    """The room that a module stands in: tinybeam.http.headers is in http."""
    return module.split(".")[1]


def exports_of(module: str) -> set[str]:
    """What a module of the package lists in its `__all__`."""
    for node in MODULES.get(module, ast.Module([], [])).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def imports_of(module: str) -> Iterator[str]:
    """The modules that a module imports, its own package's and others', wherever in the file."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: a relative import hides the room it comes from"
            name = node.module or ""
            # `from tinybeam.http import headers` imports the module headers, unless the door exports that name.
            names = [alias.name for alias in node.names if alias.name not in exports_of(name)]
            inner = [f"{name}.{one}" for one in names if f"{name}.{one}" in MODULES]
            yield from inner or [name]


def own_imports() -> list[tuple[str, str]]:
    """Each pair of modules of the package of which the first imports the second."""
    return [
        (module, name)
        for module in MODULES
        for name in imports_of(module)
        if name == "tinybeam" or name.startswith("tinybeam.")
    ]


# Floors and doors.


def test_every_room_has_a_floor() -> None:
    assert {room_of(module) for module in MODULES if module not in OUTSIDE} <= set(FLOOR_OF)


def test_imports_point_down() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in own_imports()
        if module not in OUTSIDE
        and (
            name in OUTSIDE
            or (room_of(module) != room_of(name) and FLOOR_OF[room_of(name)] >= FLOOR_OF[room_of(module)])
        )
    ]
    assert wrong == []


def test_another_room_is_entered_by_its_door_and_ones_own_never_is() -> None:
    wrong = []
    for module, name in own_imports():
        same_room = module not in OUTSIDE and name not in OUTSIDE and room_of(module) == room_of(name)
        is_door = name.count(".") == 1
        if same_room == is_door:
            wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_import_goes_round_in_a_circle() -> None:
    edges = set(own_imports())
    while True:
        # Whoever imports nothing that is left, or is imported by nothing that is left, stands on no circle.
        inner = {module for module, _ in edges} & {name for _, name in edges}
        left = {(module, name) for module, name in edges if module in inner and name in inner}
        if left == edges:
            break
        edges = left
    assert sorted(f"{module} imports {name}" for module, name in edges) == []


def test_no_import_of_ours_hides_in_a_function() -> None:
    wrong = []
    for module, tree in MODULES.items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inner = [node for function in functions for node in ast.walk(function)]
        imports = [node for node in inner if isinstance(node, ast.Import | ast.ImportFrom)]
        if imports and module not in LATE_IMPORTS_ALLOWED:
            wrong.append(f"{module}:{imports[0].lineno}")
    assert wrong == []


def test_the_front_door_defines_nothing() -> None:
    for node in MODULES["tinybeam"].body[1:]:
        is_all = isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
        assert is_all or isinstance(node, ast.ImportFrom), f"tinybeam/__init__.py:{node.lineno}"


# Who touches what.


def test_only_native_imports_ctypes() -> None:
    users = {module for module in MODULES if any(name.partition(".")[0] == "ctypes" for name in imports_of(module))}
    assert users == {"tinybeam.native"}


def test_nobody_gives_c_a_way_to_call_python() -> None:
    callbacks = {"CFUNCTYPE", "PYFUNCTYPE", "WINFUNCTYPE", "PyDLL", "py_object", "pythonapi"}
    wrong = []
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            names = {getattr(node, "id", None), getattr(node, "attr", None)}
            if isinstance(node, ast.ImportFrom):
                names |= {alias.name for alias in node.names}
            wrong += [f"{module}: {name}" for name in names & callbacks]
    assert wrong == []


def test_the_engine_knows_nothing_of_python() -> None:
    assert [path.name for path in C_FILES if re.search(r"#\s*include\s*[<\"]Python\.h", path.read_text())] == []


def test_only_rooms_of_actors_import_pykka() -> None:
    users = {room_of(module) for module in MODULES if any(name.startswith("pykka") for name in imports_of(module))}
    assert users <= PYKKA_ROOMS


# Room cards.


@pytest.mark.parametrize("path", CARD_PYTHON_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_python_file_opens_with_its_room_card(path: Path) -> None:
    check_card(ast.get_docstring(ast.parse(path.read_text())) or "")


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_c_file_opens_with_its_room_card(path: Path) -> None:
    comment = re.match(r"/\*(.*?)\*/", path.read_text(), re.S)
    assert comment is not None, "no comment opens the file"
    check_card("\n".join(line.strip().removeprefix("*").strip() for line in comment[1].splitlines()).strip())


def check_card(text: str) -> None:
    """A sentence, an empty line, and what the file owns, knows and never does, in this order."""
    sentence, _, rest = text.partition("\n\n")
    assert sentence.endswith((".", ":")), "the card opens with one sentence"
    headings = re.findall(r"^(Owns|Knows|Never):\s+\S", rest, re.M)
    assert headings[:3] == ["Owns", "Knows", "Never"]


# Sizes.


def python_functions() -> Iterator[tuple[str, int]]:
    """The place and the length in lines of every Python function."""
    for path in CARD_PYTHON_FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node_lines(node)


def node_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from `def` to the end."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def c_functions() -> Iterator[tuple[Path, re.Match[str]]]:
    """Every C function with a body, `head`, `name` and `body`."""
    for path in C_FILES:
        yield from ((path, match) for match in C_FUNCTION.finditer(path.read_text()))


def test_a_python_function_fits_a_screen() -> None:
    assert [place for place, lines in python_functions() if lines > PYTHON_FUNCTION_LINES_MAX] == []


def test_a_c_function_fits_a_screen() -> None:
    long = [f"{path.name} {match['name']}" for path, match in c_functions() if lines_of(match) > C_FUNCTION_LINES_MAX]
    assert long == []


def lines_of(match: re.Match[str]) -> int:
    """The lines of a C function, from its head to its closing brace."""
    return match[0].count("\n") + 1


def test_the_c_functions_are_all_found() -> None:
    # What guards the guards: were the pattern to miss a style of writing, its tests would pass on nothing.
    for path in (ROOT / "native" / "src").glob("*.[ch]"):
        closing_braces = len(re.findall(r"^\}$", path.read_text(), re.M))
        functions = sum(1 for found, _ in c_functions() if found == path)
        assert functions == closing_braces, path.name


def test_no_file_has_become_several_rooms() -> None:
    for files, most in ((CARD_PYTHON_FILES, PYTHON_FILE_LINES_MAX), (C_FILES, C_FILE_LINES_MAX)):
        assert [path.name for path in files if path.read_text().count("\n") > most] == []


def test_the_median_file_is_short() -> None:
    lines = [path.read_text().count("\n") for path in (*PYTHON_FILES, *C_FILES)]
    assert statistics.median(lines) <= FILE_LINES_MEDIAN_MAX


# Names in C.


def test_a_c_function_bears_the_noun_of_its_file() -> None:
    wrong = [
        f"{path.name}: {match['name']}"
        for path, match in c_functions()
        if not match["name"].startswith((f"{path.stem}_", "tb_"))
    ]
    assert wrong == []


def test_what_bears_the_prefix_of_the_contract_is_in_the_contract() -> None:
    header = (ROOT / "native" / "include" / "tinybeam.h").read_text()
    promised = set(re.findall(r"^TB_EXPORT .*?\b(tb_\w+)\(", header, re.M))
    defined = {match["name"] for _, match in c_functions() if match["name"].startswith("tb_")}
    assert defined == promised


def test_no_macro_returns() -> None:
    macros = [(path.name, macro) for path in C_FILES for macro in macros_of(path.read_text())]
    assert [(name, macro) for name, macro in macros if re.search(r"\b(return|goto|break|continue)\b", macro)] == []


def macros_of(text: str) -> list[str]:
    """Every #define, with its continued lines, without comments."""
    return re.findall(r"^\s*#\s*define\b(?:.*\\\n)*.*", re.sub(r"/\*.*?\*/", "", text, flags=re.S), re.M)
