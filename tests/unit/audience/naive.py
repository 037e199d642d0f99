"""The audience, computed once more in the plainest way: Python's csv module, lists and sets.

naive.py FOLDER reads recipients.csv, suppressed.csv, quarantine.csv and seeds.csv there (the latter
three where they exist) and the settings in case.json, and writes delivered (payloads: fields joined
by 0x1f, each ended by 0x1e, seeds marked by a leading S) and excluded.csv.
"""
import csv
import json
import os
import re
import sys
from decimal import Decimal

folder = sys.argv[1]
case = json.load(open(os.path.join(folder, "case.json")))


def read(name):
    """header, rows as (line, fields); empty lines are no rows"""
    path = os.path.join(folder, name)
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows = []
        before = reader.line_num
        for row in reader:
            if row:
                rows.append((before + 1, row))
            before = reader.line_num
        return header, rows


def has(name):
    return os.path.exists(os.path.join(folder, name))


def number(text):
    return Decimal(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else None


WHERE = {
    "": lambda r: True,
    "flag = '1' or city like 'L%'": lambda r: r["flag"] == "1" or r["city"].startswith("L"),
    "amount >= 10.5 and amount < 500": lambda r: number(r["amount"]) is not None
    and Decimal("10.5") <= number(r["amount"]) < 500,
    "not (city in ('Paris', 'Lille') or note is empty)": lambda r: not (
        r["city"] in ("Paris", "Lille") or r["note"] == ""
    ),
}


def valid_utf8(row):
    try:
        "".join(row).encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False


def valid_key(key):
    data = key.encode("utf-8")
    return 0 < len(data) <= 255 and all(byte >= 32 and byte != 127 for byte in data)


def as_bytes(text):
    return text.encode("utf-8")


header, rows = read("recipients.csv")
key_at = header.index("id")
suppressed = set()
quarantined = set()
if has("suppressed.csv"):
    names, listed = read("suppressed.csv")
    suppressed = {row[names.index("id")] for _, row in listed}
if has("quarantine.csv"):
    names, listed = read("quarantine.csv")
    quarantined = {row[names.index("address")] for _, row in listed}
selects = WHERE[case["where"]]
seen_keys = set()
seen_dedupe = set()
passed = []
excluded = []
for line, row in rows:
    if not valid_utf8(row) or len(row) != len(header) or not valid_key(row[key_at]):
        excluded.append((line, "", "malformed"))
        continue
    person = dict(zip(header, row))
    key = person["id"]
    dedupe = tuple(person[name] for name in case["dedupe"])
    cause = None
    if not selects(person):
        cause = "not-selected"
    elif key in suppressed:
        cause = "suppressed"
    elif person["email"] != "" and person["email"] in quarantined:
        cause = "quarantined"
    elif case["check"] and line % 13 == 0:
        cause = "bad-address"
    elif case["check"] and line % 11 == 0:
        cause = "control-group"
    elif key in seen_keys or (case["dedupe"] and dedupe in seen_dedupe):
        cause = "duplicate"
    if cause:
        excluded.append((line, key, cause))
        continue
    seen_keys.add(key)
    seen_dedupe.add(dedupe)
    passed.append((person, row, False))

seeds = []
if has("seeds.csv"):
    names, listed = read("seeds.csv")
    for _, row in listed:
        person = dict.fromkeys(header, "")
        person.update(zip(names, row))
        seeds.append((person, [person[name] for name in header], True))


def in_order(people):
    # stable sorts from the last column to the first
    for name in reversed(case["order"]):
        field = name.lstrip("-")
        people = sorted(people, key=lambda p: as_bytes(p[0][field]), reverse=name[0] == "-")
    return people


if case["seed_mode"] == "sorted":
    out = in_order(passed + seeds)
elif case["seed_mode"] == "start":
    out = seeds + in_order(passed)
else:
    out = in_order(passed) + seeds

with open(os.path.join(folder, "naive.delivered"), "wb") as file:
    for _, row, is_seed in out:
        file.write((b"S" if is_seed else b"R") + b"\x1f".join(map(as_bytes, row)) + b"\x1e")
with open(os.path.join(folder, "naive.excluded"), "w", newline="", encoding="utf-8") as file:
    file.write("line,key,cause\n")
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    for entry in excluded:
        writer.writerow(entry)
