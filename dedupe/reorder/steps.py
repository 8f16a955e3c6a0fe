"""What a build step reads: whether two steps may change places in a build file."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from posixpath import basename, normpath


class StepKind(Enum):
    """What makes the layer."""

    #: COPY or ADD: takes files from outside the image
    COPY = auto()
    #: RUN: may read any file below it
    RUN = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One build step, as the history of an image tells it."""

    kind: StepKind
    #: a RUN's command; a COPY's words
    text: str
    #: where a COPY puts its files; empty where the history does not say
    target: str = ""

    @property
    def line(self) -> str:
        """The step as a line of a build file; a comment where history does not tell it."""
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
#: names that say little: a command that has them need not mean the folder
_COMMON = frozenset({"", ".", "app", "bin", "etc", "lib", "opt", "src", "srv", "usr", "var"})


def step_of(created_by: str | None) -> Step:
    """The step that an image's history tells of; builders write it in four ways."""
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
    """Why swapping two steps of a build file needs a look; null where it is free.

    ``lower`` comes first today. Only files from outside the image are sure to be the same whatever
    lies below them: a RUN step can read all that it finds, and find more once it comes later.
    """
    kinds = {lower.kind, upper.kind}
    if StepKind.UNKNOWN in kinds:
        return "the image does not say what one of them does"
    if kinds == {StepKind.COPY}:
        return _owners(lower) or _owners(upper)
    if kinds == {StepKind.RUN}:
        both = _managers(lower) & _managers(upper)
        if both:
            return f"both use {min(both)}, which reads what it listed or installed before"
        return "each RUN can read what the other writes"
    copy, run = (lower, upper) if lower.kind is StepKind.COPY else (upper, lower)
    name = _named(copy, run)
    if name:
        return f"the RUN names {name}, where the other puts its files"
    return "the RUN can read the files that the other copies"


def _clean(target: str) -> str:
    return normpath(target.strip().strip("\"'[]") or ".")


def _owners(step: Step) -> str | None:
    """Names of owners are looked up in the image's own /etc/passwd."""
    owner = re.search(r"--chown=([^\s]*)", step.text)
    if owner and re.search(r"[^\d:]", owner[1]):
        return "an owner is given by name, which a step below it may have made"
    return None


def _managers(step: Step) -> set[str]:
    words = {basename(word) for word in _WORD.findall(step.text)}
    return {name for name, commands in _MANAGERS.items() if words & set(commands)}


def _named(copy: Step, run: Step) -> str | None:
    """The target of a COPY, or what the target is called, where a command has it."""
    words = {normpath(word) for word in _WORD.findall(run.text)}
    target = copy.target
    if target not in ("/", ".") and any(
        word == target or word.startswith(target + "/") for word in words
    ):
        return target
    name = basename(target)
    return name if name not in _COMMON and name in words else None
