"""`python -m agentvid` is `agentvid`."""

from agentvid.cli import main

main()
