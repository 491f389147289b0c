"""Writes docs/program.md to standard output."""

import sys

from agentvid.tools.program import reference_page

sys.stdout.write(reference_page())
