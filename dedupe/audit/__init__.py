"""A scan with its check, reports and metrics in one run, for a scheduler to start."""

from dedupe.audit.run import AuditResult, audit
from dedupe.audit.settings import AuditSettings, read_audit

__all__ = ["AuditResult", "AuditSettings", "audit", "read_audit"]
