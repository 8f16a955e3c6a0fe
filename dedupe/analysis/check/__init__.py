"""The gate: rules about a scan, and whether it keeps them."""

from dedupe.analysis.check.judge import Breach, Checked, EvidenceTable, Outcome, Verdict, check
from dedupe.analysis.check.rules import RULES, Gate, Limits, Override, Rule, Subject, Unit

__all__ = [
    "RULES",
    "Breach",
    "Checked",
    "EvidenceTable",
    "Gate",
    "Limits",
    "Outcome",
    "Override",
    "Rule",
    "Subject",
    "Unit",
    "Verdict",
    "check",
]
