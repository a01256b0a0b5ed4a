"""README and docs: every code block runs, every link leads somewhere, every option and error is there.

A block is preceded by HTML comments where it needs them (each on a line of its own, right above the fence):

    <!-- setup: images -->        what lies in the block's folder: names of SETUPS, with commas between
    <!-- exit: 3 -->              the exit code that the last command ends with (0 where nothing is said)
    <!-- needs: native -->        left out where the native engine was not built
    <!-- slow -->                 only ``make matrix`` and ``make docs`` run it
    <!-- not run: reason -->      one of NOT_RUN

``console`` blocks: each ``$ command`` runs; the lines under it must appear in its output, in order, "..." standing for
anything. ``bash`` blocks run as a script, ``python`` blocks as a file, both in the block's folder.
"""

import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import click
import pytest
import typer

from speedwell.cli.app import app
from speedwell.core import errors
from speedwell.native import available

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = {
    "installs packages", "builds .venv", "needs minutes", "needs a package that is not in dev", "needs your own files",
    "a contract, not a call",
}  # fmt: skip
RUN = {"python", "console", "bash"}
PLAIN = {"text", "toml", "json", "csv", "ini", "html", "mermaid"}
MAKERS = Path(__file__).parent / "docs_setups.py"
SETUPS = ("images", "texts", "bundle", "run", "squares")
OTHERS_OPTIONS = {
    "--help", "--install-completion", "--show-completion", "--version",  # typer's own, on the program itself
    "--quiet", "--confirm-now",
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """One fenced block. ``notes``: the comments above it, as {"setup": "images", "slow": ""}."""

    file: Path
    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.file.name}:{self.line}"


def blocks_of(file: Path) -> list[Block]:
    found, notes, lines = [], {}, file.read_text().splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines, 1):
        fence = re.match(r"^(\s*)```(.*)$", line)
        if opened is None and fence:
            opened = (number, fence[2].strip(), fence[1])
        elif opened is not None and fence:
            start, language, indent = opened
            text = "\n".join(part.removeprefix(indent) for part in lines[start : number - 1])
            found.append(Block(file, start, language, text, notes))
            opened, notes = None, {}
        elif opened is None:
            comment = re.fullmatch(r"\s*<!--\s*([a-z ]+?)\s*(?::\s*(.*?))?\s*-->\s*", line)
            if comment:
                notes = {**notes, comment[1]: comment[2] or ""}
            elif line.strip():
                notes = {}
    assert opened is None, f"{file.name}:{opened}: the fence is not closed"
    return found


BLOCKS = [block for file in DOCS if file.exists() for block in blocks_of(file)]
RUNNABLE = [
    b for b in BLOCKS if b.language in RUN and "not run" not in b.notes and (available()[0] or "needs" not in b.notes)
]


@cache
def commands() -> dict[str, click.Command]:
    """The program's verbs."""
    group = typer.main.get_command(app)
    assert hasattr(group, "commands")
    return {name: c for name, c in group.commands.items() if not c.hidden}


def options_of(verb: str) -> dict[str, click.Parameter]:
    """Of the verb, and of what it is followed by where it takes a word of its own (explain plan)."""
    command = commands()[verb]
    parts = [command, *getattr(command, "commands", {}).values()]
    return {o: p for part in parts for p in part.params for o in p.opts if o.startswith("--")}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of every block; its SPEEDWELL_DOCS folder holds the setups, made when first asked for."""
    home, here = tmp_path_factory.mktemp("home"), Path(sys.executable).parent
    path = os.pathsep.join([str(here), os.environ.get("PATH", "")])
    inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "PYTHONPATH")}
    return {**inherited, "PATH": path, "SPEEDWELL_HOME": str(home / "keys"), "SPEEDWELL_DOCS": str(home / "setups"),
            "COLUMNS": "160", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


def prepare(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Copy the setups that the block names into ``folder``."""
    for name in [n.strip() for n in block.notes.get("setup", "").split(",") if n.strip()]:
        kept = Path(environment["SPEEDWELL_DOCS"]) / name
        if not kept.with_suffix(".made").exists():
            done = subprocess.run(
                [sys.executable, str(MAKERS), name, str(kept)],
                env=environment, capture_output=True, text=True, check=False, timeout=200,
            )  # fmt: skip
            assert done.returncode == 0, f"setup {name}:\n{done.stdout}{done.stderr}"
        shutil.copytree(kept, folder, dirs_exist_ok=True)


def params(blocks: list[Block]) -> list[object]:
    slow = pytest.mark.slow
    return [pytest.param(b, id=b.name, marks=[slow] if "slow" in b.notes else []) for b in blocks]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, timeout=240, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("block", params(RUNNABLE))
def test_code_blocks_run_and_print_what_they_say(block: Block, tmp_path: Path, made: dict[str, str]) -> None:
    prepare(block, tmp_path, made)
    wanted = int(block.notes.get("exit", "0"))
    if block.language == "console":
        steps = steps_of(block)
        for i, (command, expected) in enumerate(steps):
            done = run(["bash", "-c", command], tmp_path, made)
            code = wanted if i == len(steps) - 1 else 0
            assert done.returncode == code, f"$ {command}\nended with {done.returncode}, not {code}:\n{done.stdout}"
            assert_printed(expected, done.stdout, command)
        return
    if block.language == "bash":
        done = run(["bash", "-euo", "pipefail", "-c", block.text], tmp_path, made)
    else:
        (tmp_path / "block.py").write_text(block.text)
        done = run([sys.executable, "block.py"], tmp_path, made)
    assert done.returncode == wanted, f"{block.name} ended with {done.returncode}:\n{done.stdout}"


def steps_of(block: Block) -> list[tuple[str, list[str]]]:
    """(command, expected lines) in order."""
    steps: list[tuple[str, list[str]]] = []
    lines = iter(block.text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + " " + next(lines).strip()
            steps.append((command, []))
        else:
            assert steps, f"{block.name}: a console block starts with a command: {line!r}"
            steps[-1][1].append(line)
    return steps


def assert_printed(expected: list[str], output: str, command: str) -> None:
    rest = [squeezed(line) for line in output.splitlines()]
    for line in expected:
        pattern = re.escape(squeezed(line)).replace(r"\.\.\.", ".*")
        if pattern in ("", ".*"):
            continue
        at = next((i for i, have in enumerate(rest) if re.fullmatch(pattern, have)), None)
        assert at is not None, f"$ {command}\ndid not print (from here on)\n  {line}\nbut\n{output}"
        rest = rest[at + 1 :]


def squeezed(line: str) -> str:
    return " ".join(line.split())


def test_the_comparison_of_output_can_fail() -> None:
    assert_printed(["a ... c", "...", "d"], "x\na  b c\ny\nd\n", "")
    with pytest.raises(AssertionError, match="did not print"):
        assert_printed(["d", "a b c"], "a b c\nd\n", "")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_blocks_are_of_a_known_kind_and_their_comments_are_understood(block: Block) -> None:
    assert block.language in RUN | PLAIN, f"{block.name}: name the block's language ({block.language!r})"
    assert set(block.notes) <= {"setup", "exit", "needs", "slow", "not run"}, block.notes
    assert block.notes.get("needs", "native") == "native", f"{block.name}: nothing else can be missing"
    if "not run" in block.notes:
        assert block.notes["not run"] in NOT_RUN, f"{block.name}: {block.notes['not run']!r} is no reason"
    for name in [n.strip() for n in block.notes.get("setup", "").split(",") if n.strip()]:
        assert name in SETUPS, f"{block.name}: no setup {name}"
    if block.language == "python":
        compile(block.text, block.name, "exec")


@pytest.mark.parametrize("file", DOCS, ids=lambda f: f.name)
def test_links_lead_somewhere(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        place, _, anchor = target.partition("#")
        other = (file.parent / place).resolve() if place else file
        assert other.exists(), f"{file.name}: {target} leads nowhere"
        assert other.is_relative_to(ROOT), f"{file.name}: {target} leads out of the repository"
        if anchor:
            heads = re.findall(r"^#+\s+(.*)$", other.read_text(), re.MULTILINE)
            assert anchor in {slug(h) for h in heads}, f"{file.name}: {target} has no such heading"


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def spoken_commands(file: Path) -> list[tuple[str, list[str]]]:
    """(verb, its options as written) of every command line in the file, run or not, inline or in a block."""
    text = file.read_text().replace("\\\n", " ")
    found = []
    for line in re.findall(r"speedwell ([a-z]+)((?: [^`\n|]*)?)", text):
        if line[0] in commands():
            words = line[1].split(" #")[0]
            found.append((line[0], re.findall(r"(?<![\w-])--[a-z][a-z-]*", words)))
    return found


@pytest.mark.parametrize("file", DOCS, ids=lambda f: f.name)
def test_every_option_that_is_named_exists(file: Path) -> None:
    for verb, options in spoken_commands(file):
        for option in options:
            assert option in {*options_of(verb), "--help"}, f"{file.name}: speedwell {verb} has no {option}"
    known = {o for verb in commands() for o in options_of(verb)} | OTHERS_OPTIONS
    prose = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    for span in re.findall(r"`(--[a-z][a-z-]*)[^`]*`", prose):
        assert span in known, f"{file.name}: no verb has {span}"


@pytest.mark.parametrize("verb", sorted(commands()))
def test_every_option_is_documented_with_its_default(verb: str) -> None:
    page = ROOT / "docs" / ("accelerate.md" if verb == "accelerate" else "commands.md")
    text = page.read_text()
    if verb != "accelerate":
        section = re.search(rf"^## `speedwell {verb}`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"docs/commands.md has no section on {verb}"
        text = section[0]
    for name, parameter in options_of(verb).items():
        assert f"`{name}" in text, f"{page.name} does not name {name} of {verb}"
        if isinstance(parameter.default, (str, int, Path)) and not isinstance(parameter.default, bool):
            row = next((line for line in text.splitlines() if line.startswith(f"| `{name}`")), "")
            assert f"`{parameter.default}`" in row, f"{page.name}: the default of {name} is {parameter.default}"


def error_classes() -> dict[str, type[errors.SpeedwellError]]:
    return {
        n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, errors.SpeedwellError)
    }  # fmt: skip


def test_every_error_is_listed_with_its_exit_code() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) \| (.+?) \| (.+?) \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )
    assert {name: int(code) for name, code, _, _ in rows} == {n: c.exit_code for n, c in error_classes().items()}
    assert len(rows) == len(error_classes())


def test_the_table_of_errors_names_only_errors_that_are_public() -> None:
    assert set(errors.__all__) == set(error_classes())


def test_mission_names_files_that_exist_and_commands_that_run() -> None:
    text = (ROOT / "docs/mission.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)[1:]
    assert len(rows) > 20
    for word, where, command in rows:
        places = re.findall(r"`([\w./-]+)`", where)
        if set(word) <= {"-", " "}:
            continue
        assert places or "not built yet" in where, f"{word}: say where it lives, or that it is not built yet"
        for place in places:
            assert (ROOT / place).exists(), f"{word}: there is no {place}"
        if "not built yet" in where and not places:
            assert command.strip() == "-", f"{word}: what is not built has no command"
        for verb in re.findall(r"`speedwell ([a-z]+)", command):
            assert verb in commands(), f"{word}: there is no verb {verb}"


def test_figures_name_the_script_that_measured_them() -> None:
    """A speed-up in prose is true only with the command that shows it."""
    for file in DOCS:
        prose = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
        for paragraph in prose.split("\n\n"):
            if re.search(r"\b\d+(\.\d+)?x (faster|smaller)\b", paragraph):
                assert "benchmarks/" in paragraph, f"{file.name}: a figure without its script:\n{paragraph}"


def test_architecture_lists_every_room() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = {p.parent.name for p in (ROOT / "src/speedwell").glob("*/__init__.py")}
    for room in rooms:
        assert re.search(rf"\| \d[^|]*\|[^|]*`{room}`", text), f"architecture.md does not list {room}"
