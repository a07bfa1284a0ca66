"""`bench data longlamp`, then `bench data verify` on what it wrote."""

import json

POST = {
    "author": "bo", "input": "Generate the content for a reddit post My cat", "output": "She sleeps.",
    "profile": [{"summary": "My dog", "content": "He barks."}],
}  # fmt: skip


def test_the_authors_files_become_data_that_verify_accepts(bench, tmp_path):
    folder, out = tmp_path / "files", tmp_path / "data"
    (folder / "topic_writing_user").mkdir(parents=True)
    for name in ("train", "val"):
        (folder / f"topic_writing_user/{name}.json").write_text(
            json.dumps([POST | {"author": name}])
        )
    done = bench("data", "longlamp", str(folder), "--out", str(out))
    assert done.code == 0, done.err
    assert "LongLaMP-topic (user split) train 1 queries, 1 items in their histories" in done.out
    assert f"bench data verify LongLaMP-topic --split user --root {out}" in done.out
    done = bench("data", "verify", "LongLaMP-topic", "--split", "user", "--root", str(out))
    assert (done.code, "1 queries, 1 users" in done.out) == (0, True), done.out + done.err
    done = bench("data", "longlamp", str(folder), "--out", str(out))
    assert (done.code, "exists already" in done.err) == (2, True)
