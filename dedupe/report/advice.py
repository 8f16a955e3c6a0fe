"""The next commands to try, each with the figure that is its reason."""

import shlex
from collections.abc import Sequence

from dedupe.model.advice import Advice, Reason
from dedupe.report.units import counted, human

#: a reason beside a longer command would not fit on a screen
_WIDEST = 44


def to_terminal(advised: Sequence[Advice], options: Sequence[str] = ()) -> str:
    """Commands as they can be typed, with the options that they need, and the reason for each."""
    commands = [shlex.join(("dedupe", *each.command, *options)) for each in advised]
    widest = max(map(len, commands))
    lines = ["next:"]
    for command, each in zip(commands, advised, strict=True):
        if widest <= _WIDEST:
            lines.append(f"  {command.ljust(widest)}  {_reason(each)}")
        else:
            lines += [f"  {command}", f"      {_reason(each)}"]
    return "\n".join(lines)


def _reason(advised: Advice) -> str:
    size = human(advised.size_bytes)
    match advised.reason:
        case Reason.OVERVIEW:
            return "where the bytes are, and what to fix"
        case Reason.FINDINGS:
            return (
                f"{counted(advised.count, 'finding')}; fixing the first saves {size} "
                f"({advised.kind} in {advised.about})"
            )
        case Reason.SHADOWED:
            return f"which steps shadow {size} of it"
        case Reason.POSITIONS:
            return f"{size} stored twice: same layer, different parent"
        case Reason.CONTAINERS:
            return f"{counted(advised.count, 'container')}: {size} copied up from images"
        case Reason.ORPHANS:
            return f"{size} unreferenced"
        case Reason.TREE:
            return "which images share which layers"
        case Reason.USAGE:
            return "to which repositories the bytes are attributed"
