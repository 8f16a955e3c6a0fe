"""The command check: rules about a scan, and whether the scan breaks them."""

from dedupe.analysis.check.judge import (
    Breach,
    CheckResult,
    EvidenceTable,
    Outcome,
    Verdict,
    check,
)
from dedupe.analysis.check.rules import (
    RULES,
    CheckSettings,
    Override,
    Rule,
    RuleLimits,
    Subject,
    Unit,
)

__all__ = [
    "RULES",
    "Breach",
    "CheckResult",
    "CheckSettings",
    "EvidenceTable",
    "Outcome",
    "Override",
    "Rule",
    "RuleLimits",
    "Subject",
    "Unit",
    "Verdict",
    "check",
]
