#!/usr/bin/env python3
"""Stands in for the tests of a host that is not on this machine: skips, which summary.py counts as failed where
TORSION_REQUIRE names "hosts".

Arguments: the host's name, and why it is missing, without parentheses.
"""

import sys

name, reason = sys.argv[1:]
print(f"[skip] hosts: {name} ({reason})")
sys.exit(77)
