"""Those we are measured against. Each file holds one class with

    name                 as the table shows it
    compare              how its rows are compared with ours: EXACT, NEARLY or COUNT
    missing(job)         None, or why it cannot run here
    run(job, data)       does the work once and returns (seconds, path of what it wrote); data: our finished data file
"""
import array
import csv
import gzip
import io
import zipfile

import work
from peers import duckdb, miller, pigz, python_csv

PIGZ = pigz.Pigz()
WORKERS = [duckdb.DuckDB(), python_csv.PythonCsv(), miller.Miller()]


def opened(path):
    if path.suffix == ".zip":
        return io.TextIOWrapper(zipfile.ZipFile(path).open("data.csv"), encoding="utf-8", newline="")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


def rows_of(path):
    """A number for each record, in order: the hash of all columns but the first, which is the reference in ours."""
    with opened(path) as file:
        reader = csv.reader(file, delimiter=";")
        next(reader)  # the header
        return array.array("q", (hash(tuple(row[1:])) for row in reader))


def check(peer, path, ours, duplicates):
    """Did it do the work that we did? In words; Broken where not. ours: rows_of our data; duplicates: we left out"""
    theirs = rows_of(path)
    expected = len(ours) + (duplicates if peer.compare == work.COUNT else 0)
    slack = expected * work.NEARLY_SHARE if peer.compare == work.NEARLY else 0
    if abs(len(theirs) - expected) > slack:
        raise work.Broken(f"counts differ: {peer.name} has {len(theirs):,} records, expected were {expected:,}")
    if peer.compare == work.COUNT:
        return f"{len(theirs):,} records: ours and our duplicates"
    if theirs == ours:
        return f"{len(theirs):,} records, the same in the same order"
    differ = len(set(theirs) ^ set(ours))
    if not 0 < differ <= slack:
        raise work.Broken(f"rows differ: {peer.name} has {differ:,} other records, or another order, than ours")
    return f"{len(theirs):,} records; {differ:,} not in both, as one duplicate can hide another"
