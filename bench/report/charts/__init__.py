"""One file per figure; `inline` puts them into the page, `files` writes them to disk."""
