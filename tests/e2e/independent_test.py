"""A second implementation, of the standard library alone, of what an extraction holds; compared row by row.

20,000 generated recipients go through the built daemon. Beside it, plain Python (csv, decimal, sort) works out from
CONTRACT.md who is in, why each other row is out, the order, the references, every cell, the cost lines, the stock
and both hash chains. Nothing here is the project's code or asks it anything.

How a cell with characters outside windows-1252 is compared (the contract says only "transliterated and counted"):
characters that the encoding has must stand there unchanged and in place; each other character must have become its
base letter (NFKD without marks, and SPECIAL for letters that do not decompose), in either case, or one to three
ASCII characters where there is no base letter. All other cells are compared exactly.
"""
import csv
import decimal
import functools
import gzip
import hashlib
import io
import json
import random
import re
import subprocess
import tarfile
import unicodedata
import unittest
import zipfile

import house

ROWS = 20000
LONE_CR = "\ufdd0"
SEED = 20270301
CENT = decimal.Decimal("0.01")
SPECIAL = {"Ł": "L", "ł": "l", "ı": "i", "Đ": "D", "đ": "d"}
RECORD = re.compile(r'(?:"(?:[^"]|"")*"|(?!")[^,\r\n]*)(?:,(?:"(?:[^"]|"")*"|(?!")[^,\r\n]*))*(?:\r\n|\n)?')

CONF = """
spool = "../spool"; templates = "../templates"; settle = 0.0; timezone = "Europe/Paris"; currency = "EUR";
notices = false; extract = { memory = "256MiB"; threads = %(threads)d; };
operators = ( { name = "alice"; user = "%(user)s"; email = "alice@example.net"; admin = true; } );
programmes = ( { name = "loyalty"; } );
campaigns = ( { name = "spring-2027"; programme = "loyalty"; owner = "alice"; } );
providers = ( { name = "nord"; services = ( { name = "letter"; channel = "mail"; costs = ( %(costs)s );
    layout = { %(layout)s }; } ); } );
stocks = ( { name = "nord"; provider = "nord"; lines = ( { name = "env-c5"; initial = 25000; alert = 10; } ); } );
"""

ORDER = """
campaign = "spring-2027"; channel = "mail"; label = "Spring";  provider = "nord"; service = "letter";
target = { key = "recipient_id"; %s };
%s
"""

CSV_LAYOUT = """format = "csv"; delimiter = ";"; encoding = "windows-1252"; header = true; container = "zip";
    name = "{{campaign}}_{{delivery}}"; columns = ( "reference", "recipient_id", "last_name",
    { name = "who"; value = "{{{title}}} {{{first_name}}} {{{last_name}}}"; }, "company", "address1", "address2",
    "postcode", { name = "TOWN"; value = "{{{city}}}"; }, "email", "balance" );"""

ADDRESS_LAYOUT = """format = "csv"; delimiter = "|"; encoding = "UTF-8"; header = true; container = "tar.gz";
    rows_per_file = 4000; name = "{{campaign}}_{{delivery}}"; address = "nf-z10-011"; columns = ( "line1", "line2",
    "line3", "line4", "line5", "line6", "country", "recipient_id", "reference" );"""


# --- reading, as RFC 4180 has it --------------------------------------------------------------------------------------

class Row:
    def __init__(self, line, raw, cells, names):
        self.line = line
        self.cells = cells
        self.fields = dict(zip(names, cells))
        self.is_sound = (len(cells) == len(names) and RECORD.fullmatch(raw) is not None
                         and "\0" not in raw and LONE_CR not in raw and cells[0] != ""
                         and not any("\udc80" <= c <= "\udcff" for c in raw))
        self.key = cells[0] if self.is_sound else ""
        self.cause = None


def read_rows(data):
    """Every row of a CSV file with the line that it begins on; malformed ones too. The first column is the key."""
    text = re.sub(r"\r(?!\n)", LONE_CR, data.decode("utf-8", "surrogateescape"))  # the csv module would give up there
    lines = text.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    reader = csv.reader(iter(lines))
    names = next(reader)
    rows, start = [], reader.line_num
    for cells in reader:
        if cells:
            rows.append(Row(start + 1, "".join(lines[start:reader.line_num]), cells, names))
        start = reader.line_num
    return names, rows


def number(text):
    return decimal.Decimal(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) else None


def is_below(text, limit):
    """A field against a number; one that is no number makes the comparison false."""
    value = number(text)
    return value is not None and value < decimal.Decimal(limit)


# --- who is in, and in which order ------------------------------------------------------------------------------------

def select(rows, where, suppressed, check, dedupe):
    """Gives every row its cause, or None for those that pass everything up to the limit."""
    keys, others = set(), set()
    for row in rows:
        if not row.is_sound:
            row.cause = "malformed"
        elif not where(row.fields):
            row.cause = "not-selected"
        elif row.key in suppressed:
            row.cause = "suppressed"
        else:
            row.cause = check(row.fields)
        if row.cause is None:
            composite = tuple(row.fields[name] for name in dedupe)
            if row.key in keys or (dedupe and composite in others):
                row.cause = "duplicate"
            else:
                keys.add(row.key)
                others.add(composite)
    return [row for row in rows if row.cause is None]


def in_order(rows, order):
    """Bytes, stable; "-name" descending. Python's sort is stable, also with reverse."""
    rows = list(rows)
    for name in reversed(order):
        column = name.lstrip("-")
        rows.sort(key=lambda row: row.fields[column].encode(), reverse=name.startswith("-"))
    return rows


# --- NF Z 10-011 ------------------------------------------------------------------------------------------------------

KINDS = {"AVENUE": "AV", "BOULEVARD": "BD", "PLACE": "PL", "CHEMIN": "CHE", "IMPASSE": "IMP", "ALLÉE": "ALL",
         "ROUTE": "RTE", "SQUARE": "SQ", "COURS": "CRS", "FAUBOURG": "FG", "PASSAGE": "PAS", "RÉSIDENCE": "RES",
         "ALLÉES": "ALL", "PROMENADE": "PRO", "CHAUSSÉE": "CHS", "LOTISSEMENT": "LOT", "QUARTIER": "QUA",
         "RUE": "RUE", "QUAI": "QUAI"}


def address_lines(fields):
    """The six lines of a row: blanks run together, 4 to 6 upper case without signs, the street's kind abbreviated
    where line 4 has more than 32 characters."""
    texts = [f"{fields['title']} {fields['first_name']} {fields['last_name']}", fields["address2"], "",
             fields["address1"], "", f"{fields['postcode']} {fields['city']}"]
    lines = []
    for i, text in enumerate(texts, 1):
        if i >= 4:
            text = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text.upper())
        lines.append(" ".join(text.split()))
    if len(lines[3]) > 32:
        words = lines[3].split()
        for i, word in enumerate(words[:-1]):
            if word in KINDS:
                words[i] = KINDS[word]
                break
        lines[3] = " ".join(words)
    return lines


def address_cause(fields):
    lines = address_lines(fields)
    has_name = fields["first_name"].strip() or fields["last_name"].strip()
    if not has_name or not (lines[3] or lines[4]) or not fields["postcode"].strip() or not fields["city"].strip():
        return "incomplete-address"
    if any(len(line) > 38 for line in lines):
        return "bad-address"
    if fields["country"].strip().upper() in ("", "FR", "FRA", "FRANCE") and not re.match(r"[0-9]{5} ", lines[5]):
        return "bad-address"
    return None


# --- cells ------------------------------------------------------------------------------------------------------------

@functools.lru_cache(None)
def has_code(char):
    try:
        char.encode("cp1252")
        return True
    except UnicodeEncodeError:
        return False


def loose_pattern(text):
    parts = []
    for char in text:
        base = unicodedata.normalize("NFKD", SPECIAL.get(char, char))[0]
        if has_code(char):
            parts.append(re.escape(char))
        elif base.isascii() and base.isalpha():
            parts.append(f"[{base.lower()}{base.upper()}]")
        else:
            parts.append(r"[\x20-\x7e]{1,3}")
    return "".join(parts)


# --- money ------------------------------------------------------------------------------------------------------------

def cost_amount(rule, q):
    """One line by the contract's four rules, half away from zero to the cent."""
    kind = rule["rule"]
    if kind == "fixed":
        amount = decimal.Decimal(rule["amount"])
    elif kind == "linear":
        amount = decimal.Decimal(rule["amount"]) * q / rule["per"]
    else:
        price = next((decimal.Decimal(a) for upto, a in rule["steps"] if upto >= q), decimal.Decimal(rule["beyond"]))
        amount = price * q if kind == "linear_by_threshold" else price
    if "minimum" in rule:
        amount = max(amount, decimal.Decimal(rule["minimum"]))
    return amount.quantize(CENT, decimal.ROUND_HALF_UP)  # of what is never negative: away from zero


def cost_text(rule):
    pairs = []
    for name, value in rule.items():
        if name == "steps":
            value = ", ".join(f'{{ upto = {upto}; amount = "{amount}"; }}' for upto, amount in value)
            pairs.append(f"steps = ( {value} );")
        elif isinstance(value, bool):
            pairs.append(f"{name} = {str(value).lower()};")
        elif isinstance(value, int):
            pairs.append(f"{name} = {value};")
        else:
            pairs.append(f'{name} = "{value}";')
    return "{ " + " ".join(pairs) + " }"


def read_journal(path):
    """Entries of a ledger file, its chain worked out anew: (date, key, postings, number, hash)"""
    previous, entries = "0" * 64, []
    text = path.read_bytes()
    assert text == b"" or text.endswith(b"\n\n"), f"{path.name} does not end in one blank line"
    for n, block in enumerate(text.split(b"\n\n")[:-1], 1):
        lines = block.decode().split("\n")
        body, chain = block[:block.rindex(b"\n") + 1], lines[-1].split()
        digest = hashlib.sha256(previous.encode() + body).hexdigest()
        assert chain == [";", "chain:", str(n), digest], f"{path.name}: entry {n} breaks the chain"
        date, key = re.match(r"(\S+) \* \(([^)]*)\)", lines[0]).groups()
        postings = [re.match(r"\s+(\S+)\s+(-?[0-9.]+) (\S+)$", line).groups() for line in lines[1:-1]]
        entries.append((date, key, [(a, decimal.Decimal(v), c.strip('"')) for a, v, c in postings], n, digest))
        previous = digest
    assert len({entry[1] for entry in entries}) == len(entries), f"{path.name}: a key stands twice"
    return entries


# --- the tests --------------------------------------------------------------------------------------------------------

@functools.lru_cache(None)
def generated(*args):
    return subprocess.run([house.BUILD / "tools/make-recipients", *args], check=True, capture_output=True).stdout


class Independent(house.Case):
    maxDiff = 2000

    def run_house(self, id, files, order, costs, layout, threads=2, more=""):
        """One house, one delivery, taken to the router's pickup."""
        made = self.house(conf=CONF % {"threads": threads, "user": house.ME, "layout": layout,
                                       "costs": ", ".join(map(cost_text, costs))})
        made.drop(id, files, conf=ORDER % (order, more))
        done = made.once()
        self.assertEqual(made.refused(), {})
        self.assertEqual(done.last, "taken=1 refused=0 handed-over=1 sent=0 waiting=0 failed=0")
        return made

    def archive(self, made):
        """{member: bytes} of the one archive in pickup, whose sha256 file and name are checked on the way."""
        path, = made.pickup("nord")
        line = path.with_name(path.name + ".sha256").read_text()
        self.assertEqual(line.split(), [hashlib.sha256(path.read_bytes()).hexdigest(), path.name])
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                self.assertIsNone(archive.testzip())
                members = {name: archive.read(name) for name in archive.namelist()}
            top = path.name.removesuffix(".zip")
        else:
            with tarfile.open(path) as archive:
                members = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
            top = path.name.removesuffix(".tar.gz")
        self.assertTrue(all(name.startswith(top + "/") for name in members), list(members))
        members = {name.removeprefix(top + "/"): data for name, data in members.items()}
        data = b"".join(members[name] for name in sorted(members) if name.startswith("data"))
        self.assertTrue(top.endswith("_" + hashlib.sha256(data).hexdigest()[:12]), f"{top} has not its data's digest")
        return members

    def check_manifest(self, made, members, id, rows, people, seeds, names, encoding, delimiter, stock_head):
        manifest = json.loads(members["manifest.json"])
        excluded = {}
        for row in rows:
            if row.cause:
                excluded[row.cause] = excluded.get(row.cause, 0) + 1
        self.assertEqual(manifest["excluded"], excluded)
        self.assertEqual(manifest["rows"], len(rows))
        self.assertEqual(manifest["records"], len(people))
        self.assertEqual(manifest["seeds"], seeds)
        self.assertEqual(manifest["records"] + sum(excluded.values()), manifest["rows"])
        for name, value in (("delivery", id), ("revision", 1), ("campaign", "spring-2027"), ("programme", "loyalty"),
                            ("provider", "nord"), ("service", "letter"), ("columns", names), ("encoding", encoding),
                            ("delimiter", delimiter)):
            self.assertEqual(manifest[name], value, name)
        data = sorted(name for name in members if name.startswith("data"))
        self.assertEqual([f["name"] for f in manifest["files"]], data)
        for f in manifest["files"]:
            self.assertEqual(f["bytes"], len(members[f["name"]]))
            self.assertEqual(f["sha256"], hashlib.sha256(members[f["name"]]).hexdigest())
        self.assertEqual(sum(f["records"] for f in manifest["files"]), len(people) + seeds)
        self.assertEqual(manifest["ledger"]["cost"], {"number": 0, "hash": "0" * 64})
        self.assertEqual(manifest["ledger"]["stock"], {"number": 1, "hash": stock_head})
        return manifest

    def check_excluded(self, made, id, rows):
        """excluded.csv: line, key, cause of each, in the file's order. A malformed row has no key to be sure of: its
        key is compared only with what its first field says, or nothing."""
        text = (made.where(id) / "excluded.csv").read_bytes().decode()
        found = list(csv.reader(io.StringIO(text)))
        self.assertEqual(found[0], ["line", "key", "cause"])
        out = [row for row in rows if row.cause]
        self.assertEqual(len(found) - 1, len(out))
        for cells, row in zip(found[1:], out):
            self.assertEqual((int(cells[0]), cells[2]), (row.line, row.cause))
            self.assertIn(cells[1], ["", row.cells[0]] if row.cause == "malformed" else [row.key], f"line {row.line}")

    def check_money(self, made, id, costs, q, surcharge=None):
        entry, = read_journal(made.spool / "ledger/cost.journal")
        self.assertEqual(entry[1], f"{id}/extraction/1")
        wanted = [(f"{c['category']}:{c['type']}", cost_amount(c, q)) for c in costs if c.get("selected", True)]
        if surcharge:
            wanted.append((surcharge[0], decimal.Decimal(surcharge[1])))
        top = f"cost:committed:loyalty:spring-2027:{id}:"
        found = [(account, amount) for account, amount, commodity in entry[2] if account.startswith(top)]
        self.assertEqual(sorted((":".join(a.removeprefix(top).split(":")[:2]), v) for a, v in found), sorted(wanted))
        due, = [p for p in entry[2] if not p[0].startswith(top)]
        self.assertEqual(due, ("due:committed:nord:letter", -sum(v for _, v in wanted), "EUR"))
        opening, used = read_journal(made.spool / "ledger/stock.journal")
        self.assertEqual(dict((a, (v, c)) for a, v, c in opening[2])["stock:nord:env-c5"], (25000, "env-c5"))
        self.assertEqual(used[1], f"{id}/extraction/1")
        self.assertEqual(sorted(used[2]), [(f"consumed:loyalty:spring-2027:{id}", q, "env-c5"),
                                           ("stock:nord:env-c5", -q, "env-c5")])
        return opening[4]

    def test_csv_with_where_exclude_dedupe_order_seeds__every_row_agrees(self):
        data = generated(str(ROWS), str(SEED))
        suppressed = generated("--suppressed", str(ROWS), str(SEED))
        seeds = generated("--seeds")
        names, rows = read_rows(data)
        self.assertEqual(len(rows), ROWS)
        more = [row.key for row in rows[50::977]]
        self.assertGreater(len(rows), 0)

        def where(f):
            return ((f["consent_mail"] == "1" and f["segment"] in ("gold", "silver", "none")
                     and not is_below(f["balance"], "-1.5")) or f["city"].startswith("Saint-")
                    or (f["email"] == "" and f["language"] != "fr"))

        order = ["postcode", "-city", "address1"]
        out = {row[0] for row in csv.reader(io.StringIO(suppressed.decode()))} | set(more)
        people = select(rows, where, out, lambda f: None, ["last_name", "address1", "postcode"])
        lines = in_order(people + read_rows(seeds)[1], order)
        q = len(lines)
        costs = [
            {"category": "envelope", "type": "c5", "rule": "linear", "amount": "12.345", "per": 1000,
             "stock": "nord/env-c5"},
            {"category": "postage", "type": "eco", "rule": "linear_by_threshold", "beyond": "9.00",
             "steps": [(q - 1, "8.00"), (q, "0.1235"), (q + 1, "7.00")]},
            {"category": "print", "type": "band", "rule": "constant_by_threshold", "beyond": "3.00",
             "steps": [(10, "1.00"), (q - 1, "2.00"), (q * 2, "777.775")]},
            {"category": "print", "type": "over", "rule": "constant_by_threshold", "beyond": "5.125",
             "steps": [(q - 1, "2.00")]},
            {"category": "setup", "type": "flat", "rule": "fixed", "amount": "0.125"},
            {"category": "handling", "type": "piece", "rule": "linear", "amount": "0.0001", "per": 1,
             "minimum": "25.00"},
            {"category": "setup", "type": "never", "rule": "fixed", "amount": "1.00", "selected": False}]
        target = """file = "recipients.csv"; exclude = [ "suppressed.csv", "more.csv" ]; seeds = "seeds.csv";
            where = "consent_mail = '1' and segment in ('gold', 'silver', 'none') and not balance < -1.5 "
                    "or city like 'Saint-%' or email is empty and not language = 'fr'";
            dedupe = [ "last_name", "address1", "postcode" ]; order = [ "postcode", "-city", "address1" ];"""
        made = self.run_house("variant-csv", {
            "recipients.csv": data, "suppressed.csv": suppressed, "seeds.csv": seeds,
            "more.csv": 'note,recipient_id\r\n' + "".join(f'"left, us",{key}\r\n' for key in more)},
            target, costs, CSV_LAYOUT)
        members = self.archive(made)
        self.assertEqual(sorted(members), ["data.csv", "manifest.json"])
        columns = ["reference", "recipient_id", "last_name", "who", "company", "address1", "address2", "postcode",
                   "TOWN", "email", "balance"]
        head = self.check_money(made, "variant-csv", costs, q)
        manifest = self.check_manifest(made, members, "variant-csv", rows, people, 5, columns, "windows-1252", ";",
                                       head)
        self.check_excluded(made, "variant-csv", rows)
        text = members["data.csv"].decode("cp1252")
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True))
        self.assertEqual(found[0], columns)
        self.assertEqual(len(found) - 1, q)
        strange = 0
        for n, (cells, row) in enumerate(zip(found[1:], lines), 1):
            f = row.fields
            wanted = [f"variant-csv-{n}", row.key, f["last_name"],
                      f"{f['title']} {f['first_name']} {f['last_name']}", f["company"], f["address1"], f["address2"],
                      f["postcode"], f["city"], f["email"], f["balance"]]
            self.assertEqual(len(cells), len(wanted))
            for name, cell, want in zip(columns, cells, wanted):
                strange_here = sum(not has_code(c) for c in want)
                strange += strange_here
                if strange_here:
                    self.assertRegex(cell, "^(?s:" + loose_pattern(want) + ")$", f"line {row.line}, {name}")
                elif cell != want:
                    self.assertEqual(cell, want, f"line {row.line}, {name}")
        self.assertGreater(strange, 100)
        self.assertEqual(manifest["transliterated"], strange)
        again = io.StringIO(newline="")
        csv.writer(again, delimiter=";", lineterminator="\r\n").writerows(found)
        self.assertEqual(again.getvalue(), text, "quotes stand where RFC 4180 needs them, lines end with CRLF")
        causes = {row.cause for row in rows}
        self.assertEqual(causes, {None, "not-selected", "suppressed", "duplicate"})

    def with_bad_rows(self, data):
        """The generated file with rows that break a rule in between, and two that look odd but do not."""
        names, rows = read_rows(data)
        lines = data.split(b"\n")
        bad = [b"R9,M.,too,few", b",".join([b"R8"] + [b"x"] * 16), b"," * 15, b'R7,"M."x' + b"," * 14,
               b"R6,M.,caf\xe9" + b"," * 13, b"R5,M.,a\x00b" + b"," * 13, b"", b"R4,M.,x\ry" + b"," * 13]
        good = [b'R3,M.,Al "Bad" ,Quote,,1 rue A,,75001,Paris,FR,,,none,,1,fr',
                b'"R2","M.","Al ""Good""","Quote",,"1, rue\nA",,"75001","Paris","FR",,,"none",,"1","fr"',
                "R1,M.,Al,Long,,125 bis avenue de l\u2019Église-Saint-Luc,,75001,Paris,FR,,,none,,1,fr".encode(),
                b"R0,M.,Al,Longer,,1 boulevard du Marechal de Lattre de Tassigny,,75001,Paris,FR,,,none,,1,fr"]
        chance = random.Random(SEED)
        places = sorted(chance.sample(range(len(rows)), 60 + 12))
        out, at = [], 0
        for i, place in enumerate(places):
            out += lines[at:rows[place].line - 1] + [(bad + good)[i % (len(bad) + len(good))].replace(
                b"R", b"X%d-" % i, 1)]
            at = rows[place].line - 1
        return b"\n".join(out + lines[at:])

    def test_postal_addresses_and_malformed_rows__every_row_agrees(self):
        data = self.with_bad_rows(generated(str(ROWS), str(SEED + 1)))
        names, rows = read_rows(data)
        seeds = generated("--seeds")
        people = select(rows, lambda f: True, set(), address_cause, [])
        lines = in_order(people + read_rows(seeds)[1], ["country", "-postcode", "recipient_id"])
        q = len(lines)
        costs = [{"category": "envelope", "type": "c5", "rule": "linear", "amount": "0.5", "per": 7,
                  "stock": "nord/env-c5"},
                 {"category": "postage", "type": "eco", "rule": "linear_by_threshold", "beyond": "0.115",
                  "steps": [(100, "0.13"), (1000, "0.12")]}]
        target = """file = "people.csv.gz"; on_bad_row = "exclude"; seeds = "seeds.csv";
            order = [ "country", "-postcode", "recipient_id" ];"""
        made = self.run_house("variant-address", {"people.csv.gz": gzip.compress(data, 6), "seeds.csv": seeds},
                              target, costs, ADDRESS_LAYOUT,
                              more='costs = ( { category = "postage"; type = "eco"; surcharge = "12.34"; }, '
                                   '{ category = "envelope"; type = "c5"; } );')
        members = self.archive(made)
        columns = ["line1", "line2", "line3", "line4", "line5", "line6", "country", "recipient_id", "reference"]
        head = self.check_money(made, "variant-address", costs, q, ("postage:eco", "12.34"))
        manifest = self.check_manifest(made, members, "variant-address", rows, people, 5, columns, "UTF-8", "|", head)
        self.check_excluded(made, "variant-address", rows)
        self.assertEqual(sum(row.cause == "malformed" for row in rows), 6 * 7)
        self.assertEqual({row.cause for row in rows},
                         {None, "malformed", "incomplete-address", "bad-address", "duplicate"})
        found = []
        for i, f in enumerate(manifest["files"], 1):
            self.assertEqual(f["name"], f"data-{i:04d}.csv")
            part = list(csv.reader(io.StringIO(members[f["name"]].decode(), newline=""), delimiter="|", strict=True))
            self.assertEqual(part[0], columns)
            self.assertEqual(len(part) - 1, min(4000, q - len(found)))
            self.assertEqual(f["records"], len(part) - 1)
            found += part[1:]
        self.assertEqual(len(found), q)
        for n, (cells, row) in enumerate(zip(found, lines), 1):
            wanted = address_lines(row.fields) + [row.fields["country"], row.key, f"variant-address-{n}"]
            if cells != wanted:
                self.assertEqual(cells, wanted, f"line {row.line}")
        self.assertTrue(any(len(row.fields["address1"]) > 32 for row in people), "nothing to abbreviate")

    def test_limit__exactly_so_many_and_the_same_ones_again(self):
        """Which ones are picked is the program's choice; that it is so many of those who may be, in order, and the
        same with any number of threads, is not."""
        data = generated(str(ROWS), str(SEED + 2))
        names, rows = read_rows(data)
        passed = select(rows, lambda f: f["segment"] == "none", set(), lambda f: None, [])
        target = """file = "recipients.csv"; where = "segment = 'none'"; limit = 1234; order = [ "city" ]; %s"""
        costs = [{"category": "envelope", "type": "c5", "rule": "linear", "amount": "12.00", "per": 1000,
                  "stock": "nord/env-c5"}]
        got = {}
        for name, threads, seed in (("one thread", 1, ""), ("two threads", 2, ""), ("a seed", 2, "random_seed = 7;"),
                                    ("the seed again", 1, "random_seed = 7;")):
            made = self.run_house("limited", {"recipients.csv": data}, target % seed, costs, CSV_LAYOUT, threads)
            members = self.archive(made)
            found = list(csv.DictReader(io.StringIO(members["data.csv"].decode("cp1252"), newline=""), delimiter=";"))
            picked = {cells["recipient_id"] for cells in found}
            for row in rows:
                row.cause = "over-limit" if row.cause in (None, "over-limit") and row.key not in picked else \
                    None if row.cause == "over-limit" else row.cause
            people = [row for row in passed if row.cause is None]
            self.assertEqual(len(found), 1234)
            self.assertEqual([c["recipient_id"] for c in found], [row.key for row in in_order(people, ["city"])])
            self.assertEqual([c["reference"] for c in found], [f"limited-{n}" for n in range(1, 1235)])
            self.check_excluded(made, "limited", rows)
            head = self.check_money(made, "limited", costs, 1234)
            columns = list(found[0])
            self.check_manifest(made, members, "limited", rows, people, 0, columns, "windows-1252", ";", head)
            got[name] = members["data.csv"]
        self.assertEqual(got["one thread"], got["two threads"])
        self.assertEqual(got["a seed"], got["the seed again"])
        self.assertNotEqual(got["one thread"], got["a seed"])
        middle = sum(int(cells[1][1:]) for cells in csv.reader(io.StringIO(got["a seed"].decode("cp1252")),
                                                               delimiter=";") if cells[1][:1] == "R") / 1234
        self.assertLess(abs(middle - ROWS / 2), ROWS / 20, "picked from one end of the file")


if __name__ == "__main__":
    house.main()
