"""Every variant that docs/reference/variants.md shows is one."""

import re
from pathlib import Path

import pytest
from variant_files import read, write

from harness.config.live_checks import template_problems

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "variants.md"
VARIANTS = [
    block
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if block.startswith("id:")
]


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    write("evalsets/support/corpus/a.md", "# A\n")
    plain = "id: {}\nmodel: http/x\nuser: ../user.j2\n"
    for name in ("prompt_only", "large"):
        write(f"variants/{name}/variant.yaml", plain.format(name))
    rag = "retrieval: {corpus: ../../evalsets/support/corpus}\nparams: {seed: 7}\n"
    shots = "few_shot: {from: shots.jsonl, count: 1}\n"
    write("variants/prompt_rag/variant.yaml", plain.format("prompt_rag") + rag + shots)
    write("variants/prompt_rag/shots.jsonl", '{"input": "a", "output": "b"}\n')
    write("variants/user.j2", "{{ question }}{{ passages }}{{ shots }}")
    for name in ("user", "summarise"):
        write(f"variants/shown/{name}.j2", "{{ question }}{{ passages }}")
    write("variants/shown/system.j2", "Be brief.")
    write("variants/shown/route.j2", "{{ question }}")
    write("variants/shown/draft.j2", "{{ summary }}")
    write("variants/shown/answer.schema.json", "{}")


def test_the_page_shows_some() -> None:
    assert len(VARIANTS) >= 5


@pytest.mark.parametrize("text", VARIANTS, ids=lambda text: text.split("\n")[0])
def test_a_shown_variant_is_valid(text: str) -> None:
    write("variants/shown/variant.yaml", text)
    (entry,), problems = read("variants/shown")
    assert problems == []
    assert entry.live is not None
    assert entry.variant is not None
    assert template_problems(entry.live, ["question"]) == []
