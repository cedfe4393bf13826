"""What `check` and `doctor` find, and how it is shown."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from meshway.cli.session import Session

Verdict = Literal["passed", "warning", "failed"]
_MARKS: Final = {"passed": "✓", "warning": "!", "failed": "✗"}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. id: stable, for monitoring and for links."""

    id: str
    verdict: Verdict
    text: str
    mend: str | None = None


def show_findings(session: Session, findings: Sequence[Finding]) -> int:
    """How many failed."""
    from meshway.cli.output import painted, pretty_json

    failed = sum(finding.verdict == "failed" for finding in findings)
    warned = sum(finding.verdict == "warning" for finding in findings)
    if session.output in ("json", "jsonl"):
        session.put(pretty_json({"failed": failed, "warnings": warned, "checks": findings}))
    else:
        for finding in findings:
            if session.quiet and finding.verdict == "passed":
                continue
            line = f"{_MARKS[finding.verdict]} {finding.text}"
            session.put(painted(line) if session.color else line)
            if finding.mend:
                session.put(f"    mend: {finding.mend}")
        passed = len(findings) - failed - warned
        session.say(f"{failed} failed, {warned} warning{'s' * (warned != 1)}, {passed} passed")
    return failed
