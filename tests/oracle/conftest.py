"""Lets the files of this folder import each other: they are of no use to anybody else."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
