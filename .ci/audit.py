"""Run pip-audit and report its result: ``audit.py COMMAND...``, whose output is JSON.

The status is 1 if there is a known vulnerability, or if the audit failed. Where no source of
advisories is reachable nothing is audited; this is reported and is not a failure.
"""

import json
import subprocess
import sys
from typing import Any

UNREACHABLE = ("ConnectionError", "Could not connect", "ConnectTimeout", "ReadTimeout")


def verdict(packages: list[dict[str, Any]]) -> tuple[list[str], int]:
    """What to print about these packages, and the exit status."""
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        reason = packages[0]["skip_reason"] if packages else "there are no packages"
        return [f"audit: NOTHING was audited: {reason}"], 0
    lines = [
        f"audit: {package['name']} {package['version']}: {found['id']}, "
        f"fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for package in audited
        for found in package["vulns"]
    ]
    counts = f"{len(audited)} of {len(packages)} packages were audited"
    return [*lines, f"audit: {counts}, {len(lines)} known vulnerabilities"], int(bool(lines))


def main(command: list[str]) -> int:
    """Run the command and report its result."""
    ran = subprocess.run([*command, "--format", "json"], capture_output=True, text=True)  # noqa: S603 -- what the Makefile says
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = ran.stderr.strip().splitlines()[-1:] or ["pip-audit said nothing"]
        if any(sign in ran.stderr for sign in UNREACHABLE):
            print(f"audit: NOTHING was audited, no source of advisories is reachable: {reason[0]}")
            return 0
        print(f"audit: failed: {reason[0]}")
        return 1
    lines, status = verdict(packages)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
