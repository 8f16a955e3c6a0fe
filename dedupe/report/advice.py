"""Next commands, each with the figure that speaks for it."""

import shlex
from collections.abc import Sequence

from dedupe.analysis.advice import Advice, Reason
from dedupe.report.units import counted, human

#: beside longer commands a reason would not fit on a screen
_WIDEST = 44


def render(advised: Sequence[Advice], options: Sequence[str] = ()) -> str:
    """Commands as they can be typed, with options that they need; the reason of each beside it."""
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
            return "where the bytes go, and what is worst"
        case Reason.FINDINGS:
            return (
                f"{counted(advised.count, 'finding')}; mending the first wins {size} "
                f"({advised.kind} in {advised.about})"
            )
        case Reason.SHADOWED:
            return f"which steps hide {size} of it from every container"
        case Reason.POSITIONS:
            return f"{size} stored again because a layer sits on several parents"
        case Reason.CONTAINERS:
            return f"{counted(advised.count, 'container')}: {size} copied up from images"
        case Reason.ORPHANS:
            return f"{size} in blobs that no manifest names"
        case Reason.TREE:
            return "which images share which layers"
        case Reason.USAGE:
            return "who pays for what"
