"""Evidence, tracks and chapters as files for other programs: one file of this package per format.

`material` gathers what is exported, `EXPORTS` in `registry` lists the formats, `export` writes one.
"""
