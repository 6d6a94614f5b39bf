"""Documents are read from every format, and what is wrong is told with the file's name."""

import json
import os
import subprocess
import sys
import zlib

import pytest

from harness.corpus.documents import MAX_PROBLEMS, read_documents, skipped_files
from harness.errors import InputError


def read(folder):
    return {document.id: document for document in read_documents(folder.root)}


def problems(folder):
    with pytest.raises(InputError) as caught:
        list(read_documents(folder.root))
    return caught.value.problems


def pdf(*pages):
    """A PDF of one line of text per page, as small as one can be."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    xref = f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return (body + xref + trailer).encode("latin-1")


def test_markdown_front_matter_becomes_metadata_and_is_no_text(folder):
    folder(
        "policies/refunds.md",
        "---\ntitle: Refunds\naudience: [staff, partners]\nsince: 2026-01-31\nlevel: 2\n---\n"
        "# Rule\n\nWithin 30 days.\n",
    )

    (found,) = read_documents(folder.root)

    assert found.id == "policies/refunds"
    assert found.file == "policies/refunds.md"
    assert found.title == "Refunds"
    assert found.text == "# Rule\n\nWithin 30 days.\n"
    assert found.metadata == {
        "title": "Refunds",
        "audience": ["staff", "partners"],
        "since": "2026-01-31",
        "level": 2,
    }
    assert [(h.level, h.title) for h in found.headings] == [(1, "Rule")]


def test_html_becomes_text_with_headings_and_meta(folder):
    folder(
        "a.html",
        "<html><head><title>A &amp; B</title><meta name='audience' content='staff'>"
        "<style>p { color: red }</style></head><body><h1>Rule <b>one</b></h1>"
        "<p>Within  30\n days.<br>Or   later.</p><script>steal('<h1>no</h1>')</script>"
        "<!-- <h2>hidden</h2> --><ul><li>x<li>y</ul><h2>Exception</h2>"
        "<table><tr><td>a<td>b</table><pre>k\n  v</pre></body></html>",
    )

    (found,) = read_documents(folder.root)

    assert found.title == "A & B"
    assert found.metadata == {"audience": "staff"}
    assert found.text == (
        "Rule one\n\nWithin 30 days.\nOr later.\n\nx\ny\n\nException\n\na | b\n\nk\n  v"
    )
    assert [(h.level, h.title, found.text[h.start : h.end]) for h in found.headings] == [
        (1, "Rule one", "Rule one"),
        (2, "Exception", "Exception"),
    ]


def test_plain_text_has_no_headings_and_one_kind_of_line_break(folder):
    folder("notes.txt", b"\xef\xbb\xbf# not a heading\r\nline two\rline three")

    (found,) = read_documents(folder.root)

    assert (found.text, found.headings) == ("# not a heading\nline two\nline three", ())


def test_pdf_pages_become_text(folder):
    folder("terms.pdf", pdf("Refunds within 30 days", "Except opened goods"))

    (found,) = read_documents(folder.root)

    assert found.id == "terms"
    assert found.text == "Refunds within 30 days\n\nExcept opened goods"


def test_jsonl_holds_a_document_on_each_line(folder):
    rows = [
        {"id": "d1", "text": "one", "title": "First", "audience": "staff"},
        {"id": 2, "text": "two", "metadata": {"year": 2026}, "lone": "\ud800"},
    ]
    folder("all.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")

    found = read(folder)

    assert found["d1"].title == "First"
    assert found["d1"].metadata == {"title": "First", "audience": "staff"}
    assert found["2"].metadata["year"] == 2026


def test_sidecar_describes_documents_by_id_and_by_pattern(folder):
    folder("metadata.yaml", "'policies/*': {audience: staff, level: 1}\npolicies/b: {level: 2}\n")
    folder("policies/a.txt", "a")
    folder("policies/b.md", "---\naudience: everybody\n---\nb")
    folder("c.txt", "c")

    found = read(folder)

    assert found["policies/a"].metadata == {"audience": "staff", "level": 1}
    assert found["policies/b"].metadata == {"audience": "staff", "level": 2}
    assert found["c"].metadata == {}


def test_sidecar_entry_without_a_document_is_a_problem(folder):
    folder("metadata.json", '{"policy/*": {"audience": "staff"}}')
    folder("policies/a.txt", "a")

    (problem,) = problems(folder)

    assert "'policy/*' matches no document" in problem.what
    assert problem.where.endswith("metadata.json")


def test_every_broken_file_is_told_and_the_others_are_read(folder, tmp_path):
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    folder("a-good.txt", "fine")
    folder("bad-bytes.md", b"ok\n\xff\xfe")
    folder("bad-front.md", "---\na: [\n---\n")
    folder("bad.pdf", b"%PDF-1.7\nbroken")
    folder(
        "rows.jsonl",
        '{"id": "x", "text": "fine"}\n{"id": "y"}\n[1]\n{"id": \n\xff'.encode("latin-1"),
    )
    (folder.root / "leak.txt").symlink_to(outside)
    (folder.root / "up").symlink_to(tmp_path)
    (folder.root / "gone.txt").symlink_to(folder.root / "nowhere.txt")
    os.mkfifo(folder.root / "pipe.jsonl")

    documents = []
    with pytest.raises(InputError) as caught:
        documents.extend(read_documents(folder.root))

    told = {}
    for problem in caught.value.problems:
        name, _, line = problem.where.rpartition("corpus/")[2].partition(":")
        told.setdefault(name, []).append((line.partition(":")[0], problem.what))
    assert [document.id for document in documents] == ["a-good", "x"]
    assert told.pop("rows.jsonl") == [
        ("2", "the line needs an `id` and a `text`"),
        ("3", "the line is no JSON object"),
        ("4", told_json := next(p.what for p in caught.value.problems if "no JSON:" in p.what)),
        ("5", "byte 0 of the line is not UTF-8"),
    ]
    assert told_json.startswith("the line is no JSON:")
    assert told.pop("bad-bytes.md") == [("2", "byte 0xff is not UTF-8 text")]
    assert told.pop("leak.txt") == [("", "a link that leads out of the folder")]
    assert told.pop("up") == [("", "a link to a folder, which is not followed")]
    assert told.pop("bad-front.md")[0][1].startswith("the front matter is wrong: broken YAML")
    assert "broken PDF" in told.pop("bad.pdf")[0][1]
    assert "regular file" in told.pop("gone.txt")[0][1]
    assert "regular file" in told.pop("pipe.jsonl")[0][1]
    assert not told


def test_no_secret_of_a_link_is_read(folder, tmp_path):
    outside = tmp_path / "secret.md"
    outside.write_text("# secret")
    (folder.root / "leak.md").symlink_to(outside)
    folder("real.md", "# real")
    (folder.root / "inside.md").symlink_to(folder.root / "real.md")

    found = []
    with pytest.raises(InputError):
        found.extend(read_documents(folder.root))

    assert [document.text for document in found] == ["# real", "# real"]


@pytest.mark.parametrize(
    ("first", "second"), [("a.md", "a.html"), ("a.txt", "rows.jsonl"), ("a.md", "a.markdown")]
)
def test_doubled_id_is_a_problem_that_names_both_files(folder, first, second):
    for name in (first, second):
        folder(name, '{"id": "a", "text": "x"}' if name.endswith("jsonl") else "x")

    (problem,) = problems(folder)

    both = problem.what + problem.where
    assert "the id 'a' is that of" in problem.what
    assert first in both
    assert second in both


@pytest.mark.parametrize("identifier", ["a#b", "a~2", "", " ", "a\nb", "x" * 501, "\x1b[31m"])
def test_id_that_looks_like_a_section_or_cannot_be_shown_is_refused(folder, identifier):
    folder("rows.jsonl", json.dumps({"id": identifier, "text": "x"}))

    (problem,) = problems(folder)

    assert "the document's id" in problem.what
    assert problem.what.isprintable()


@pytest.mark.parametrize("content", [{}, {"x.png": b"\x89PNG"}, {".hidden.md": "# no"}])
def test_folder_without_documents_is_a_problem(folder, content):
    for name, data in content.items():
        folder(name, data)

    (problem,) = problems(folder)

    assert problem.what == "holds no documents"
    assert ".md" in problem.hint


def test_missing_folder_is_a_problem(folder):
    folder.root.rmdir()

    assert any("No such file" in problem.what for problem in problems(folder))


def test_other_files_are_named_for_a_warning(folder):
    for name in ("a.md", "metadata.yaml", "img/logo.png", "table.csv"):
        folder(name, "")

    assert skipped_files(folder.root) == ["table.csv", "img/logo.png"]


def test_problems_are_bounded(folder):
    folder("rows.jsonl", "x\n" * 5000)

    told = problems(folder)

    assert len(told) == MAX_PROBLEMS + 1
    assert told[-1].what == f"{5000 - MAX_PROBLEMS} more problems like these"


def test_pdf_that_unpacks_to_gigabytes_is_refused(folder):
    bomb = zlib.compress(b"BT (a) Tj ET " * 30_000_000, 9)
    page = pdf("x").decode("latin-1")
    start = page.index("<< /Length")
    end = page.index("endstream")
    stream = f"<< /Length {len(bomb)} /Filter /FlateDecode >>\nstream\n".encode()
    raw = page[:start].encode("latin-1") + stream + bomb + b"\n" + page[end:].encode("latin-1")
    folder("bomb.pdf", raw)

    (problem,) = problems(folder)

    assert "bomb.pdf" in problem.where


def test_pdf_without_text_is_a_problem(folder):
    folder("scan.pdf", pdf(""))

    (problem,) = problems(folder)

    assert "PDF without text" in problem.what


def test_pdf_without_the_extra_is_a_problem_with_a_hint(folder):
    folder("a.pdf", pdf("x"))
    code = (
        "import sys; sys.modules['pypdf'] = None\n"  # as if it were not installed
        "from pathlib import Path\n"
        "from harness.corpus.documents import read_documents\n"
        "list(read_documents(Path(sys.argv[1])))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder.root)], capture_output=True, text=True, check=False
    )

    assert "InputError" in result.stderr
    assert "pip install 'harness[pdf]'" in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        + "".join(
            f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n"
            for p, n in zip("bcdefgh", "cdefghi", strict=True)
        ),
        "[" * 20_000,
        "!!python/object/apply:os.system [echo]",
        "a: 1\na: 2",
        "<<: {a: 1}",
    ],
)
def test_hostile_front_matter_is_a_problem(folder, text):
    folder("a.md", f"---\n{text}\n---\nx")

    (problem,) = problems(folder)

    assert "front matter" in problem.what


def test_a_rule_across_the_page_is_no_front_matter(folder):
    folder("a.md", "---\nno second one")

    assert read(folder)["a"].text == "---\nno second one"
