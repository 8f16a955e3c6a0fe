"""The outcome of a check: for a screen, for programs, and for a pull request."""

from collections.abc import Iterator, Mapping

from dedupe.analysis.check import Breach, CheckResult, EvidenceTable, Outcome, Rule, Unit, Verdict
from dedupe.model.questions import Answer
from dedupe.report.tables import to_terminal as table_to_terminal
from dedupe.report.text import aligned, code_span, json_document, markdown_table
from dedupe.report.units import UNKNOWN, counted, human

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 2

_FIX_UNKNOWN = (
    "'dedupe report -f json' lists the problems; fix them and scan again. --allow-unknown, or "
    'unknown = "pass" in dedupe.toml, lets unknown figures pass'
)
#: images or repositories that are listed for a broken rule
_SUBJECTS = 10
#: characters; a comment of a pull request may have 65,536
_LONGEST = 60_000


def to_json(found: CheckResult) -> str:
    """One document; docs/check.md describes its keys."""
    return json_document(document(found))


def document(found: CheckResult) -> dict[str, object]:
    """The document as values, which the summary of an audit includes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "scan": found.scan,
        "baseline": found.baseline,
        "verdict": found.verdict.value,
        "rules": [_rule_document(outcome) for outcome in found.outcomes],
        "notes": list(found.notes),
    }


def _rule_document(outcome: Outcome) -> dict[str, object]:
    rule, worst = outcome.rule, outcome.worst
    return {
        "rule": rule.name,
        "verdict": outcome.verdict.value,
        "meaning": rule.meaning,
        "unit": rule.unit.value,
        "value": worst and worst.value,
        "at_least": bool(worst and worst.at_least),
        "threshold": worst and worst.limit,
        "judged": outcome.judged,
        "skipped": outcome.skipped,
        "breaches": [_breach_document(breach) for breach in outcome.breaches],
        "unknown": [_breach_document(breach) for breach in outcome.unknown],
        "evidence": [{"title": each.title, "rows": each.rows} for each in outcome.evidence],
        "fix": rule.fix,
        "reason": outcome.reason,
    }


def _breach_document(breach: Breach) -> dict[str, object]:
    return {
        "subject": breach.subject,
        "image_id": breach.image_id,
        "verdict": breach.verdict.value,
        "value": breach.value,
        "at_least": breach.at_least,
        "threshold": breach.limit,
        "reason": breach.reason,
    }


def to_terminal(found: CheckResult, *, plain: bool) -> str:
    """The table of rules, then what is behind each rule that is broken or cannot be judged."""
    rows = [_HEADER, *(_cells(outcome, plain) for outcome in found.outcomes)]
    lines = aligned(rows, left={0, 1, 4})
    for outcome in found.outcomes:
        if outcome.breaches or outcome.unknown:
            lines += ["", *_evidence_lines(outcome, plain)]
    lines += ["", *(f"note: {note}" for note in found.notes), _summary(found)]
    return "\n".join(lines) + "\n"


_HEADER = ("verdict", "rule", "value", "threshold", "subject")


def _cells(outcome: Outcome, plain: bool) -> tuple[str, ...]:
    rule, worst = outcome.rule, outcome.worst
    if worst is None:
        return (outcome.verdict.value, rule.name, "-", "-", outcome.reason)
    subject = worst.subject + (f" ({worst.reason})" if worst.reason else "")
    others = {
        Verdict.CANNOT_JUDGE: len(outcome.unknown),
        Verdict.SKIPPED: outcome.skipped,
        Verdict.PASSED: 1,
    }.get(outcome.verdict, len(outcome.breaches))
    subject += f" and {others - 1:,} more" if others > 1 else ""
    if outcome.judged > 1:
        subject += f", of {outcome.judged:,}"
    if outcome.skipped and outcome.verdict is not Verdict.SKIPPED:
        subject += f"; {outcome.skipped:,} skipped"
    if outcome.unknown and outcome.verdict is not Verdict.CANNOT_JUDGE:
        subject += f"; {len(outcome.unknown):,} unknown"
    return (
        outcome.verdict.value,
        rule.name,
        _figure(rule, worst, plain),
        "-" if worst.limit is None else _value(rule, worst.limit, plain),
        subject,
    )


def _evidence_lines(outcome: Outcome, plain: bool) -> Iterator[str]:
    rule = outcome.rule
    yield f"{outcome.verdict.value.upper()} {rule.name}: {rule.meaning}"
    for breach in outcome.breaches[:_SUBJECTS]:
        yield f"  {_comparison(rule, breach, plain=plain)}: {breach.subject}"
    if len(outcome.breaches) > _SUBJECTS:
        yield f"  and {len(outcome.breaches) - _SUBJECTS:,} more; -f json lists all"
    for breach in outcome.unknown[:_SUBJECTS]:
        yield f"  {_doubt(rule, breach, plain=plain)}: {breach.subject}"
    if len(outcome.unknown) > _SUBJECTS:
        yield f"  and {len(outcome.unknown) - _SUBJECTS:,} more unknown; -f json lists all"
    for evidence in outcome.evidence:
        if evidence.rows:
            yield f"  {evidence.title}:"
            shown = table_to_terminal(_answer(evidence), plain=plain)
            yield from (f"    {line}" for line in shown.splitlines())
    yield f"  fix: {_fix(outcome)}"


def _comparison(rule: Rule, breach: Breach, *, plain: bool) -> str:
    side = "below" if rule.lowest else "above"
    limit = "no limit" if breach.limit is None else _value(rule, breach.limit, plain)
    return f"{breach.verdict.value:7}{_figure(rule, breach, plain):>10} is {side} {limit}"


def _doubt(rule: Rule, breach: Breach, *, plain: bool) -> str:
    return f"{breach.verdict.value}: {_figure(rule, breach, plain)} ({breach.reason})"


def _fix(outcome: Outcome) -> str:
    """The rule's fix; if only unknown figures are in the way, that for them."""
    return outcome.rule.fix if outcome.breaches else _FIX_UNKNOWN


def _figure(rule: Rule, breach: Breach, plain: bool) -> str:
    """The value, marked if it is a lower bound."""
    if breach.value is None:
        return UNKNOWN
    if not breach.at_least:
        return _value(rule, breach.value, plain)
    # at least nothing says nothing
    return f"≥ {_value(rule, breach.value, plain)}" if breach.value else UNKNOWN


def _answer(evidence: EvidenceTable) -> Answer:
    """Rows as a table; columns without any value are left out."""
    names = [
        name
        for name in evidence.rows[0]
        if any(row[name] not in (None, "", []) for row in evidence.rows)
    ]
    rows = [tuple(row[name] for name in names) for row in evidence.rows]
    return Answer(dict.fromkeys(names, "VARCHAR"), rows)


def _value(rule: Rule, value: float, plain: bool) -> str:
    match rule.unit:
        case Unit.BYTES:
            return human(int(value), plain=plain)
        case Unit.PERCENT:
            return f"{value:.1f} %"
        case Unit.RATIO:
            return f"{100 * value:.1f} %"
        case Unit.COUNT:
            return f"{int(value):,}"


def _summary(found: CheckResult) -> str:
    count = {
        verdict: sum(outcome.verdict is verdict for outcome in found.outcomes)
        for verdict in Verdict
    }
    text = f"{counted(len(found.outcomes), 'rule')}: " + ", ".join(
        f"{count[verdict]} {verdict.value}" for verdict in reversed(Verdict) if count[verdict]
    )
    return f"{text}; scan {found.scan}" + (
        f" compared with {found.baseline}" if found.baseline else ""
    )


def to_markdown(found: CheckResult) -> str:
    """For a job summary or a comment: the table of rules, and the evidence for broken ones.

    Evidence is left out before the text becomes too long for a comment.
    """
    text = f"### dedupe check: {found.verdict.value}\n\n" + markdown_table(
        _HEADER, [_markdown_cells(outcome) for outcome in found.outcomes]
    )
    ending = "\n" + "".join(f"- {code_span(note)}\n" for note in found.notes)
    ending += f"\n{_summary(found)}\n"
    for outcome in found.outcomes:
        if outcome.breaches or outcome.unknown:
            section = _markdown_section(outcome)
            if len(text) + len(section) + len(ending) > _LONGEST:
                section = f"\n{outcome.rule.name}: too long for this text; run `dedupe check`\n"
            text += section
    return text + ending


def _markdown_cells(outcome: Outcome) -> tuple[str, ...]:
    *cells, subject = _cells(outcome, plain=False)
    return (*cells, code_span(subject))


def _markdown_section(outcome: Outcome) -> str:
    rule = outcome.rule
    parts = [f"<details><summary>{rule.name}: {rule.meaning}</summary>\n"]
    parts.append(
        "".join(
            f"- {_comparison(rule, breach, plain=False)}: {code_span(breach.subject)}\n"
            for breach in outcome.breaches[:_SUBJECTS]
        )
        + "".join(
            f"- {_doubt(rule, breach, plain=False)}: {code_span(breach.subject)}\n"
            for breach in outcome.unknown[:_SUBJECTS]
        )
    )
    for evidence in outcome.evidence:
        if evidence.rows:
            answer = _answer(evidence)
            names = tuple(answer.columns)
            rows = [_row_cells(names, row) for row in answer.dicts()]
            parts.append(f"{evidence.title}:\n\n{markdown_table(names, rows)}")
    return "\n" + "\n".join([*parts, f"fix: {_fix(outcome)}\n", "</details>\n"])


def _row_cells(names: tuple[str, ...], row: Mapping[str, object]) -> tuple[str, ...]:
    cells = []
    for name in names:
        value = row[name]
        if isinstance(value, int):
            cells.append(human(value) if name.endswith("_bytes") else str(value))
        elif isinstance(value, list):
            cells.append(code_span(", ".join(str(each) for each in value)))
        else:
            cells.append("" if value is None else code_span(str(value)))
    return tuple(cells)
