"""Benchmarks: what a request costs here, beside nginx and other Python servers, in one run on one machine.

Owns:  nothing; the files of this folder do.
Knows: nothing of the inside of tinybeam: every server is measured from outside, through its socket and /proc.
Never: a verdict. A benchmark prints ratios and leaves pass or fail to whoever reads them.
"""
