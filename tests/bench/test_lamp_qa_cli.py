"""`bench data lamp-qa`, then `bench data verify` on what it wrote."""

import json


def test_the_authors_files_become_data_that_verify_accepts(bench, tmp_path):
    folder, out = tmp_path / "files", tmp_path / "data"
    (folder / "Art_and_Entertainment").mkdir(parents=True)
    for name in ("train", "validation"):
        row = {
            "id": name, "question": f"Is {name} fun?", "narrative": "I am new.",
            "rubric_aspects": [{"aspect": "Basics", "reason": "", "evidence": "new"}],
            "profile": [{"id": "1", "text": f"Hello {name}."}],
        }  # fmt: skip
        (folder / f"Art_and_Entertainment/{name}.json").write_text(json.dumps([row]))
    done = bench("data", "lamp-qa", str(folder), "--out", str(out))
    assert done.code == 0, done.err
    assert "LaMP-QA-art dev   1 questions, 1 past posts, 1 aspects" in done.out
    assert f"bench data verify LaMP-QA-art --split user --root {out}" in done.out
    done = bench("data", "verify", "--split", "user", "--root", str(out), "LaMP-QA-art")
    assert (done.code, "1 queries, 1 users" in done.out) == (0, True), done.out + done.err
