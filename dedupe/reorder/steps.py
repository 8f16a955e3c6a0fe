"""Build steps, and whether two of them can change places in a build file without a check.

An image's history has one text per layer. Builders write it in four forms; ``step_of`` reads all of
them. A COPY takes files from outside the image, which are the same whatever is below it. A RUN can
read every file below it, so it may do something else at another place.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from posixpath import basename, normpath


class StepKind(Enum):
    """What kind of instruction made the layer."""

    #: COPY or ADD: takes files from outside the image
    COPY = auto()
    #: RUN: can read any file below it
    RUN = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One build step, as the history of an image records it."""

    kind: StepKind
    #: the command of a RUN; the whole instruction of a COPY
    text: str
    #: where a COPY puts its files; empty if the history does not have it
    target: str = ""

    @property
    def line(self) -> str:
        """The step as a line of a build file; a comment if the history does not have the step."""
        if self.kind is StepKind.RUN:
            return f"RUN {self.text}"
        return self.text if self.kind is StepKind.COPY else f"# {self.text or 'step not known'}"


_SHELL = re.compile(r"^(?:RUN )?(?:\|\d+ (?:\S+=.*? )?)?/bin/(?:ba)?sh (?:-o \S+ )*-\w*c ")
_LEGACY = re.compile(r"^(?:/bin/(?:ba)?sh -c )?#\(nop\) +(COPY|ADD) (.*?) in (.*)$", re.DOTALL)
_BUILDKIT = re.compile(r"^(COPY|ADD) (.*)$", re.DOTALL)
_MANAGERS = {
    "apt": ("apt-get", "apt", "dpkg"),
    "apk": ("apk",),
    "rpm": ("dnf", "yum", "microdnf", "zypper", "rpm"),
    "pip": ("pip", "pip3", "pipx", "poetry", "uv"),
    "npm": ("npm", "yarn", "pnpm"),
    "gem": ("gem", "bundle"),
    "conda": ("conda", "mamba", "micromamba"),
}
_WORD = re.compile(r"[\w./+-]+")
#: common names: a command that has one of them need not mean the folder that a COPY made
_COMMON = frozenset({"", ".", "app", "bin", "etc", "lib", "opt", "src", "srv", "usr", "var"})


def step_of(created_by: str | None) -> Step:
    """The step that a ``created_by`` of an image's history describes."""
    text = (created_by or "").removesuffix("# buildkit").strip()
    if legacy := _LEGACY.match(text):
        verb, source, target = legacy.groups()
        return Step(StepKind.COPY, f"{verb} {source} {target.strip()}", _clean(target))
    if buildkit := _BUILDKIT.match(text):
        return Step(StepKind.COPY, text, _clean(buildkit[2].split()[-1]))
    if text.startswith("RUN ") or _SHELL.match(text):
        command = _SHELL.sub("", text).removeprefix("RUN ").strip()
        if not command.startswith("#(nop)"):
            return Step(StepKind.RUN, command)
        text = command.removeprefix("#(nop)").strip()
    return Step(StepKind.UNKNOWN, text)


def rebuild_check(lower: Step, upper: Step) -> str | None:
    """Why two steps of a build file must be checked before they change places; None if not.

    ``lower`` comes first today. The result is not None for every RUN, because a RUN that comes
    later finds more files.
    """
    kinds = {lower.kind, upper.kind}
    if StepKind.UNKNOWN in kinds:
        return "the history of the image does not say what one of them does"
    if kinds == {StepKind.COPY}:
        return _owner_by_name(lower) or _owner_by_name(upper)
    if kinds == {StepKind.RUN}:
        both = _managers(lower) & _managers(upper)
        if both:
            return f"both use {min(both)}, which reads what it listed or installed before"
        return "each RUN can read what the other writes"
    copy, run = (lower, upper) if lower.kind is StepKind.COPY else (upper, lower)
    name = _target_in_command(copy, run)
    if name:
        return f"the RUN names {name}, where the other step puts its files"
    return "the RUN can read the files that the other step copies"


def _clean(target: str) -> str:
    return normpath(target.strip().strip("\"'[]") or ".")


def _owner_by_name(step: Step) -> str | None:
    """Why a COPY with --chown must be checked: names are looked up in the image's /etc/passwd."""
    owner = re.search(r"--chown=([^\s]*)", step.text)
    if owner and re.search(r"[^\d:]", owner[1]):
        return "an owner is given by name, and a step below may have created that user"
    return None


def _managers(step: Step) -> set[str]:
    words = {basename(word) for word in _WORD.findall(step.text)}
    return {name for name, commands in _MANAGERS.items() if words & set(commands)}


def _target_in_command(copy: Step, run: Step) -> str | None:
    """The target of a COPY, or its last name, if the command of a RUN contains it."""
    words = {normpath(word) for word in _WORD.findall(run.text)}
    target = copy.target
    if target not in ("/", ".") and any(
        word == target or word.startswith(target + "/") for word in words
    ):
        return target
    name = basename(target)
    return name if name not in _COMMON and name in words else None
