"""The embedded store: one SQLite file in WAL mode, synchronous=FULL, one writer thread.

`store` is its face. `writer` is the thread that writes: it compares Changes in memory (`cache`), and writes them in one
statement where that will do (`plain_appends`, `plain_moves`), else gathered as rows (`transaction` and `*_rows`).
`read_streams` and `read_subjects` are what readers ask, `watch` is what is heard of other processes. SQL stands in .sql
files. Never here: a rule that another backend needs too (`signoff.stores.compare`), a kind of record.
"""
