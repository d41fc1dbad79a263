"""`make audit`: known vulnerabilities in the locked dependencies, and an honest word where nobody could be asked.

pip-audit skips what its source of advisories does not know, and ends with success even if that is everything. Here a
known vulnerability fails, and so does a partial answer; where no advisory could be read at all (a machine without the
network for it), the audit says that it is unverified.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).with_name("dev.lock")


def main() -> int:
    """Audit the lock; 1 if a dependency is vulnerable or only some could be looked up."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", str(LOCK)]
    found = subprocess.run(  # noqa: S603 -- our own tool on our own lock
        [*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(found.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (found.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"audit: UNVERIFIED, no advisories could be read: {last}")
        return 0
    audited = [each for each in packages if "vulns" in each]
    vulnerable = [each for each in audited if each["vulns"]]
    for each in vulnerable:
        ids = ", ".join(known["id"] for known in each["vulns"])
        fixes = sorted({fix for known in each["vulns"] for fix in known["fix_versions"]})
        print(f"audit: {each['name']} {each['version']}: {ids}; mended in {', '.join(fixes) or 'no version yet'}")
    if not audited:
        print(f"audit: UNVERIFIED, the source of advisories knows none of {len(packages)} locked packages")
        return 0
    skipped = [each["name"] for each in packages if "vulns" not in each]
    if skipped:
        print(f"audit: not looked up: {', '.join(skipped)}")
    print(f"audit: {len(audited)} of {len(packages)} locked packages looked up, {len(vulnerable)} vulnerable")
    return 1 if vulnerable or skipped else 0


if __name__ == "__main__":
    sys.exit(main())
