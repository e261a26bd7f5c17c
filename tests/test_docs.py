"""docs/ says nothing that is not so: its programs build, and its words for a status are those of the flags."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from tinybeam import Router
from tinybeam.config import Config

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_programs_in_the_docs_build() -> None:
    for file in sorted(DOCS.glob("*.md")):
        for program in re.findall(r"^```python\n(.*?)^```$", file.read_text(), re.M | re.S):
            router = Router()
            exec(compile(program, file.name, "exec"), {"router": router})
            router.compile()


def test_a_limit_is_told_with_the_status_that_its_flag_names() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", (DOCS / "limits.md").read_text(), re.M))
    for field in dataclasses.fields(Config):
        for status in re.findall(r"\b[45]\d\d\b", field.metadata["help"]):
            if field.name in rows:
                assert f" {status}" in rows[field.name].split("|")[3], field.name


def test_every_document_that_a_document_names_is_there() -> None:
    for file in [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]:
        for link in re.findall(r"\]\(([\w./-]+)\)", file.read_text()):
            assert (file.parent / link).exists(), f"{file.name} names {link}"
