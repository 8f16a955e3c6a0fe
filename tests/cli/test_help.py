"""Help texts are written for a terminal of 80 columns, and ``reorder`` is a group of commands."""

from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from dedupe.cli import app


def helps() -> Iterator[tuple[str, str]]:
    """Yield each help text of a command, argument or option, with the command's name."""
    waiting = [("dedupe", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        yield name, command.help or ""
        for parameter in command.params:
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
        if isinstance(command, TyperGroup):
            waiting += [(f"{name} {each}", below) for each, below in command.commands.items()]


def test_help_has_no_broken_lines_or_lost_words() -> None:
    """Paragraphs are wrapped by the terminal alone; brackets would be read as markup."""
    texts = dict(helps())
    assert len(texts) > 150
    for name, text in texts.items():
        assert "\n" not in text.replace("\n\n", ""), name
        assert "[" not in text.replace("[IMAGE]...", ""), name


def test_first_paragraph_of_help_is_short() -> None:
    """The list of commands shows it."""
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined] # a group
        assert len((command.help or "").partition("\n\n")[0]) <= 90, name


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ((), "reorder"),
        (("web:1",), "reorder plan"),
        (("--for", "pulls", "web:1"), "reorder plan"),
        (("explain", "web:1"), "reorder explain"),
        # an image may have the name of a command
        (("plan", "explain"), "reorder plan"),
    ],
)
def test_plan_is_the_default_of_reorder(words: tuple[str, ...], command: str) -> None:
    """``dedupe reorder`` with options or names alone is ``dedupe reorder plan``."""
    shown = CliRunner().invoke(app, ["reorder", *words, "--help"], prog_name="dedupe")
    assert shown.exit_code == 0
    assert f"Usage: dedupe {command} [OPTIONS]" in shown.output
