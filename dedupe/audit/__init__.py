"""A scan, its check, reports and metrics in one run, for a scheduler to start."""

from dedupe.audit.run import Audited, audit
from dedupe.audit.settings import Audit, Report, read_audit

__all__ = ["Audit", "Audited", "Report", "audit", "read_audit"]
