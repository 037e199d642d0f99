#!/usr/bin/env python3
"""Extraction: what stands in the archive, read by the tools a router has, and that the same delivery gives the same data."""
import csv
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile

import house
import look


def layout(columns='"reference", "recipient_id", "last_name", "city"', **settings):
    """A service's layout: csv, windows-1252, semicolons, zip, unless told otherwise."""
    values = {"format": '"csv"', "delimiter": '";"', "encoding": '"windows-1252"', "header": "true", "container": '"zip"',
              "name": '"{{campaign}}_{{delivery}}_{{date}}"'} | settings
    if values["format"] != '"csv"':
        del values["delimiter"]
    return "layout = { " + "".join(f"{key} = {value}; " for key, value in values.items()) + f"columns = ( {columns} ); }};"


class Case(house.Case):
    def with_layout(self, text, files=None, target="", more="", count=10, **settings):
        """A house with this layout and a delivery `a` that was handed over."""
        h = self.house(**settings)
        conf = re.sub(r"layout = \{.*?\}, \"address1\".*?\); \};", lambda _: text, h.conf.read_text(), flags=re.S)
        assert text in conf
        h.conf.write_text(conf)
        h.drop("a", files or {"recipients.csv": house.recipients(count)}, target=target, more=more)
        h.once()
        self.assertEqual(h.refused(), {})
        self.assertEqual(look.state(h, "a"), "handed-over", h.journal("a"))
        return h

    def data(self, h, tail="data.csv"):
        return look.member(look.zip_members(h.pickup()[0]), tail)


class Containers(Case):
    def container(self, kind, **more):
        return self.with_layout(layout(container=f'"{kind}"'), {"recipients.csv": house.recipients(10), "d.pdf": b"%PDF\0\1" * 99},
                                more='documents = [ "d.pdf" ];', **more)

    def members(self, h):
        top = h.pickup()[0].name.split(".")[0]
        return top, [f"{top}/data.csv", f"{top}/manifest.json", f"{top}/documents/d.pdf"]

    def files_only(self, listing):
        return sorted(name for name in listing if name and not name.endswith("/"))

    def test_zip_for_unzip_python_and_bsdtar(self):
        h = self.container("zip")
        archive = h.pickup()[0]
        top, names = self.members(h)
        with zipfile.ZipFile(archive) as packed:
            self.assertIsNone(packed.testzip())
            self.assertEqual(self.files_only(packed.namelist()), sorted(names))
            self.assertEqual(packed.read(f"{top}/documents/d.pdf"), b"%PDF\0\1" * 99)
        if shutil.which("unzip"):
            look.run(f"unzip -tqq {archive}")
            self.assertEqual(self.files_only(look.run(f"unzip -Z1 {archive}").splitlines()), sorted(names))
        if shutil.which("bsdtar"):
            self.assertEqual(self.files_only(look.run(f"bsdtar -tf {archive}").splitlines()), sorted(names))

    def test_tar_gz_for_tar_and_python(self):
        h = self.container("tar.gz")
        archive = h.pickup()[0]
        self.assertTrue(archive.name.endswith(".tar.gz"))
        _, names = self.members(h)
        self.assertEqual(self.files_only(look.run(f"tar -tzf {archive}").splitlines()), sorted(names))
        with tarfile.open(archive) as packed:
            self.assertTrue(all(not m.isfile() or m.mode & 0o111 == 0 for m in packed))
            self.assertEqual(packed.extractfile(names[2]).read(), b"%PDF\0\1" * 99)

    def test_tar_zst_for_zstd_and_tar(self):
        self.need("zstd")
        h = self.container("tar.zst")
        archive = h.pickup()[0]
        self.assertTrue(archive.name.endswith(".tar.zst"))
        _, names = self.members(h)
        look.run(f"zstd -qt {archive}")
        plain = subprocess.run(["zstd", "-dcq", archive], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(plain)) as packed:
            self.assertEqual(self.files_only(packed.getnames()), sorted(names))

    def test_gz_for_gzip_with_its_manifest_beside_it(self):
        h = self.with_layout(layout(container='"gz"'))
        names = [p.name for p in h.pickup()]
        archive = next(p for p in h.pickup() if p.name.endswith(".csv.gz"))
        self.assertIn(archive.name.removesuffix(".csv.gz") + ".manifest.json", names)
        look.run(f"gzip -t {archive}")
        text = gzip.decompress(archive.read_bytes())
        self.assertEqual(len(text.splitlines()), 11)
        about = json.loads((archive.parent / (archive.name.removesuffix(".csv.gz") + ".manifest.json")).read_text())
        self.assertEqual(about["files"][0]["sha256"], hashlib.sha256(text).hexdigest())

    def test_gz_with_documents_or_several_files_is_an_error(self):
        h = self.house(container="gz")
        h.drop("docs", {"recipients.csv": house.recipients(3), "d.pdf": "x"}, more='documents = [ "d.pdf" ];')
        h.once()
        self.assertRegex(h.refused()["docs"], r"gz.*; |; .*(zip|gz)")
        self.assertEqual(h.pickup(), [])

    def test_sha256_file_is_read_by_sha256sum(self):
        h = self.container("zip")
        folder = h.pickup()[0].parent
        beside = folder / (h.pickup()[0].name + ".sha256")
        self.assertIn("OK", look.run(f"sha256sum -c {beside.name}", cwd=folder))
        self.assertTrue(beside.read_text().startswith(look.sha256(h.pickup()[0]) + "  "))

    def test_the_name_holds_the_hash_of_the_data_at_its_end_or_where_it_is_wanted(self):
        h = self.with_layout(layout())
        digest = hashlib.sha256(self.data(h)).hexdigest()[:12]
        self.assertRegex(h.pickup()[0].name, rf"^spring-2027_a_\d{{4}}-\d\d-\d\d_{digest}\.zip$")
        h = self.with_layout(layout(name='"x-{{hash}}-{{delivery}}"'))
        self.assertEqual(h.pickup()[0].name, f"x-{hashlib.sha256(self.data(h)).hexdigest()[:12]}-a.zip")

    def test_other_data_has_another_name(self):
        names = {self.with_layout(layout(), count=n).pickup()[0].name for n in (10, 11)}
        self.assertEqual(len(names), 2)

    def test_the_name_keeps_plain_characters_and_150_bytes(self):
        h = self.with_layout(layout(name='"Ä /%s..{{delivery}}"'.replace("%s", "y" * 300)))
        name = h.pickup()[0].name
        self.assertRegex(name, r"^[A-Za-z0-9._-]+$")
        self.assertLessEqual(len(name.removesuffix(".zip")), 150)
        self.assertFalse(name.startswith("."))
        self.assertIn(hashlib.sha256(self.data(h)).hexdigest()[:12], name)

    def test_level_is_taken(self):
        sizes = [self.with_layout(layout(level=str(n)), count=2000).pickup()[0].stat().st_size for n in (1, 9)]
        self.assertGreater(sizes[0], sizes[1])


class Manifest(Case):
    def test_counts_digests_and_heads_of_the_ledgers(self):
        rows = house.recipients(20, consent_mail=lambda n: "0" if n % 5 == 0 else "1")
        h = self.with_layout(layout(), {"recipients.csv": rows, "no.csv": "recipient_id\nR000001\nR000002\n",
                                        "seeds.csv": ",".join(house.HEADER) + "\n" + "S1" + ",s" * 15 + "\n"},
                             target="where = \"consent_mail = '1'\"; exclude = [ \"no.csv\" ]; seeds = \"seeds.csv\";")
        about = look.manifest(h.pickup()[0])
        self.assertEqual({k: about[k] for k in ("delivery", "revision", "campaign", "programme", "provider", "service")},
                         {"delivery": "a", "revision": 1, "campaign": "spring-2027", "programme": "loyalty",
                          "provider": "nord-routage", "service": "letter"})
        self.assertEqual((about["rows"], about["records"], about["seeds"]), (20, 14, 1))
        self.assertEqual(about["excluded"], {"not-selected": 4, "suppressed": 2})
        self.assertEqual(about["rows"], about["records"] + sum(about["excluded"].values()))
        self.assertEqual([c["name"] if isinstance(c, dict) else c for c in about["columns"]], ["reference", "recipient_id", "last_name", "city"])
        self.assertEqual((about["encoding"].lower(), about["delimiter"]), ("windows-1252", ";"))
        data = self.data(h)
        one = about["files"][0]
        self.assertEqual((one["name"], one["records"], one["bytes"], one["sha256"]),
                         ("data.csv", 15, len(data), hashlib.sha256(data).hexdigest()))
        self.assertRegex(about["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
        self.assertEqual(set(about["ledger"]), {"cost", "stock"})
        self.assertEqual(look.target(h, "a")["records"], 14)
        self.assertEqual(sorted({c for _, _, c in look.excluded(h, "a")}), ["not-selected", "suppressed"])
        self.assertEqual(len(look.excluded(h, "a")), 6)
        self.assertEqual(json.loads((h.where("a") / "extraction/manifest.json").read_text()), about)

    def test_rows_per_file_splits_and_each_file_is_counted(self):
        h = self.with_layout(layout(rows_per_file="4"))
        members = look.zip_members(h.pickup()[0])
        names = sorted(n.split("/")[1] for n in members if n.endswith(".csv"))
        self.assertEqual(names, ["data-0001.csv", "data-0002.csv", "data-0003.csv"])
        files = look.manifest(h.pickup()[0])["files"]
        self.assertEqual([(f["name"], f["records"]) for f in files], [("data-0001.csv", 4), ("data-0002.csv", 4), ("data-0003.csv", 2)])
        references = []
        for file in files:
            content = look.member(members, file["name"])
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (file["bytes"], file["sha256"]))
            references += [r["reference"] for r in csv.DictReader(io.StringIO(content.decode("cp1252")), delimiter=";")]
        self.assertEqual(references, [f"a-{n}" for n in range(1, 11)])


class Formats(Case):
    def test_csv_quotes_what_needs_it_and_ends_lines_with_crlf(self):
        odd = ['plain', 'semi;colon', 'quo"te', 'new\nline', ' blank ', "comma,"]
        text = house.recipients(6, last_name=lambda n: odd[n - 1])
        h = self.with_layout(layout('"recipient_id", "last_name"'), {"recipients.csv": text})
        raw = self.data(h)
        self.assertTrue(raw.startswith(b"recipient_id;last_name\r\n"))
        self.assertTrue(raw.endswith(b"\r\n"))
        self.assertEqual([r["last_name"] for r in look.records(h.pickup()[0])], odd)

    def test_delimiter_quote_eol_and_no_header(self):
        h = self.with_layout(layout('"recipient_id", "last_name"', delimiter='"|"', quote='"\'"', eol='"lf"', header="false"),
                             {"recipients.csv": house.recipients(2, last_name="O'Hara|x")})
        self.assertEqual(self.data(h), b"R000001|'O''Hara|x'\nR000002|'O''Hara|x'\n")

    def test_each_encoding(self):
        names = "Zoë Łódź Œuvre € 東京"
        for encoding, codec, sure in (("UTF-8", "utf-8", names), ("ISO-8859-1", "iso-8859-1", None), ("ISO-8859-15", "iso-8859-15", None),
                                      ("windows-1252", "cp1252", None)):
            with self.subTest(encoding):
                h = self.with_layout(layout('"recipient_id", "last_name"', encoding=f'"{encoding}"'), {"recipients.csv": house.recipients(3, last_name=names)})
                got = look.records(h.pickup()[0], codec)[0]["last_name"]
                self.assertTrue(got.startswith("Zoë "), got)
                for word in names.split()[:4]:
                    try:
                        word.encode(codec)
                        self.assertIn(word, got)
                    except UnicodeEncodeError:
                        self.assertNotIn("\ufffd", got)
                if sure:
                    self.assertEqual(got, sure)
                else:
                    self.assertNotIn("?", got.split("uvre")[0], "transliterated, not dropped")
                    self.assertIn("3", json.dumps(look.manifest(h.pickup()[0])), "counted")

    def test_what_has_no_code_is_transliterated_and_counted(self):
        h = self.with_layout(layout('"last_name"'), {"recipients.csv": house.recipients(10, last_name=lambda n: "Łukasz" if n <= 4 else "Zoë")})
        self.assertEqual([r["last_name"] for r in look.records(h.pickup()[0])], ["Lukasz"] * 4 + ["Zoë"] * 6)
        about = look.manifest(h.pickup()[0])
        counted = [v for k, v in about.items() if "translit" in k]
        self.assertEqual(counted, [4], about)

    def test_upper_and_width_never_cut_a_character_in_two(self):
        h = self.with_layout(layout('{ name = "n"; value = "{{last_name}}"; width = 5; upper = true; }', encoding='"UTF-8"'),
                             {"recipients.csv": house.recipients(3, last_name=lambda n: ["éèàùçôî", "straße", "😀😀😀😀😀😀"][n - 1])})
        self.assertEqual([r["n"] for r in look.records(h.pickup()[0], "utf-8")], ["ÉÈÀÙÇ", "STRAS", "😀😀😀😀😀"])

    def test_fixed_columns_stand_at_their_places(self):
        h = self.with_layout(layout('{ name = "recipient_id"; width = 10; }, { name = "last_name"; width = 6; upper = true; }, '
                                    '{ name = "city"; width = 8; }', format='"fixed"', header="false"),
                             {"recipients.csv": house.recipients(2, last_name=lambda n: ["Müller-Meier", "Li"][n - 1], city="Évry")})
        lines = self.data(h, "data.txt").decode("cp1252").split("\r\n")
        self.assertEqual(lines, ["R000001   MÜLLERÉvry    ", "R000002   LI    Évry    ", ""])

    def test_fixed_without_a_width_is_refused_by_the_configuration(self):
        h = self.house()
        h.conf.write_text(h.conf.read_text().replace('format = "csv"', 'format = "fixed"').replace('delimiter = ";";', ""))
        done = h.check()
        self.assertEqual(done.returncode, 78)
        self.assertIn("width", done.stderr)

    def test_values_are_templates_of_the_recipients_columns_not_escaped(self):
        h = self.with_layout(layout('{ name = "v"; value = "{{#company}}{{company}}, {{/company}}{{last_name}}{{^company}} (privat){{/company}}"; }'),
                             {"recipients.csv": house.recipients(2, company=lambda n: ["R&D <co>", ""][n - 1], last_name="X")})
        self.assertEqual([r["v"] for r in look.records(h.pickup()[0])], ["R&D <co>, X", "X (privat)"])

    def test_reference_can_stand_anywhere_and_follows_the_output_order(self):
        h = self.with_layout(layout('"recipient_id", "reference"'), target='order = [ "-recipient_id" ];')
        self.assertEqual([(r["recipient_id"], r["reference"]) for r in look.records(h.pickup()[0])],
                         [(f"R{11 - n:06d}", f"a-{n}") for n in range(1, 11)])


class Addresses(Case):
    LINES = ", ".join(['{ name = "line1"; value = "{{title}} {{first_name}} {{last_name}}"; }', '{ name = "line2"; value = "{{company}}"; }',
                       '{ name = "line3"; value = "{{address2}}"; }', '{ name = "line4"; value = "{{address1}}"; }',
                       '{ name = "line5"; value = ""; }', '{ name = "line6"; value = "{{postcode}} {{city}}"; }'])

    def test_nf_z10_011_lines_fit_and_last_lines_are_upper_case_without_punctuation(self):
        rows = house.recipients(4, address1=lambda n: ["12, rue de l'Église", "3 rue X", "4 rue Y", "5 rue Z"][n - 1],
                                city=lambda n: ["Saint-Étienne", "Lille", "Paris", "Lyon"][n - 1])
        h = self.with_layout(layout('"recipient_id", ' + self.LINES, address='"nf-z10-011"'), {"recipients.csv": rows})
        for row in look.records(h.pickup()[0]):
            lines = [row[f"line{n}"] for n in range(1, 7)]
            for line in lines:
                self.assertLessEqual(len(line), 38)
            for line in lines[3:]:
                self.assertRegex(line, r"^[^\W_]*( [^\W_]+)*$", "letters, digits and blanks")
                self.assertEqual(line, line.upper())
            self.assertRegex(" ".join(lines), r"\d{5} ")

    def test_an_address_that_is_not_complete_or_does_not_fit_is_excluded_with_its_cause(self):
        rows = house.recipients(6, address1=lambda n: "" if n == 2 else f"{n} rue X", postcode=lambda n: "" if n == 3 else "59000",
                                city=lambda n: "" if n == 3 else "Lille",
                                last_name=lambda n: "x" * 60 if n == 5 else f"N{n}")
        h = self.with_layout(layout('"recipient_id", ' + self.LINES, address='"nf-z10-011"'), {"recipients.csv": rows})
        causes = {key: cause for _, key, cause in look.excluded(h, "a")}
        self.assertEqual(causes.get("R000003"), "incomplete-address", causes)
        self.assertTrue(set(causes.values()) <= {"incomplete-address", "bad-address"}, causes)
        got = [r["recipient_id"] for r in look.records(h.pickup()[0])]
        self.assertEqual(sorted(got + list(causes)), [f"R{n:06d}" for n in range(1, 7)])
        self.assertEqual(look.manifest(h.pickup()[0])["excluded"], {c: list(causes.values()).count(c) for c in set(causes.values())})

    def test_without_address_an_empty_one_is_nobodys_business(self):
        h = self.with_layout(layout('"recipient_id", "address1"'), {"recipients.csv": house.recipients(3, address1="")})
        self.assertEqual(look.manifest(h.pickup()[0])["records"], 3)


class Audience(Case):
    def ids(self, h):
        return [r["recipient_id"] for r in look.records(h.pickup()[0])]

    def test_empty_finish_makes_no_archive_and_no_cost(self):
        h = self.house()
        h.drop("a", target="where = \"city = 'nowhere'\";")
        h.once()
        self.assertEqual((h.place("a"), look.state(h, "a"), h.pickup()), (["done"], "finished", []))
        self.assertEqual([k for n in ("cost", "stock") for k in look.keys(h, n) if k.startswith("a/")], [])

    def test_empty_send_hands_over_an_archive_of_nobody(self):
        h = self.with_layout(layout(), target="where = \"city = 'nowhere'\"; empty = \"send\";")
        self.assertEqual(look.manifest(h.pickup()[0])["records"], 0)
        self.assertEqual(self.data(h), b"reference;recipient_id;last_name;city\r\n")

    def test_empty_fail_fails(self):
        h = self.house()
        h.drop("a", target="where = \"city = 'nowhere'\"; empty = \"fail\";")
        self.assertEqual(h.once().counts["handed-over"], "0")
        self.assertIn(look.state(h, "a"), ("failed", "preparation-error"))
        self.assertEqual(h.pickup(), [])

    def test_causes_come_in_their_order_and_add_up(self):
        rows = house.recipients(6, consent_mail=lambda n: "0" if n in (1, 2) else "1") + house.recipients(3).split("\n", 1)[1]
        h = self.with_layout(layout(), {"recipients.csv": rows, "no.csv": "recipient_id\nR000002\nR000004\n"},
                             target="where = \"consent_mail = '1'\"; exclude = [ \"no.csv\" ]; limit = 3;")
        about = look.manifest(h.pickup()[0])
        # R1 R2 not selected at first; R4 suppressed; the second R1 is in (its first row was not); R2 suppressed; R3 twice
        self.assertEqual(about["excluded"], {"not-selected": 2, "suppressed": 2, "duplicate": 1, "over-limit": 1})
        self.assertEqual((about["rows"], about["records"]), (9, 3))

    def test_dedupe_first_one_in_wins(self):
        rows = house.recipients(6, last_name=lambda n: ["A", "B", "A", "a", "B", "C"][n - 1])
        h = self.with_layout(layout(), {"recipients.csv": rows}, target='dedupe = [ "last_name" ];')
        self.assertEqual(self.ids(h), ["R000001", "R000002", "R000004", "R000006"])

    def test_order_is_by_bytes_stable_and_descending_with_minus(self):
        rows = house.recipients(6, city=lambda n: ["b", "a", "é", "Z", "a", "z"][n - 1])
        h = self.with_layout(layout(), {"recipients.csv": rows}, target='order = [ "city" ];')
        self.assertEqual(self.ids(h), ["R000004", "R000002", "R000005", "R000001", "R000006", "R000003"])
        h = self.with_layout(layout(), {"recipients.csv": rows}, target='order = [ "-city" ];')
        self.assertEqual(self.ids(h), ["R000003", "R000006", "R000001", "R000002", "R000005", "R000004"])

    def test_where_as_the_contract_writes_it(self):
        rows = house.recipients(8, segment=lambda n: ["gold", "silver", "bronze", "gold", "", "gold", "GOLD", "silver"][n - 1],
                                balance=lambda n: ["100", "99.99", "500", "1e2", "100.00", "20", "200", "0100.5"][n - 1])
        for where, wanted in (("segment in ('gold', 'silver') and balance >= 100", [1, 8]),
                              ("not segment = 'gold' and balance < 100 or segment is empty", [2, 5]),
                              ("segment like 'g%'", [1, 4, 6]), ("segment like '_old'", [1, 4, 6]),
                              ("\\\"segment\\\" != 'gold' and not (segment is empty)", [2, 3, 7, 8]),
                              ("balance = 100", [1, 5]), ("segment > 'bronze'", [1, 2, 4, 6, 8])):
            with self.subTest(where):
                h = self.with_layout(layout(), {"recipients.csv": rows}, target=f'where = "{where}";')
                self.assertEqual(self.ids(h), [f"R{n:06d}" for n in wanted])

    def test_limit_picks_that_many_the_same_with_the_same_seed_others_with_another(self):
        def picked(seed):
            h = self.with_layout(layout(), target=f"limit = 10; random_seed = {seed};", count=200)
            self.assertEqual(look.manifest(h.pickup()[0])["excluded"], {"over-limit": 190})
            return self.ids(h)
        one, again, other = picked(7), picked(7), picked(8)
        self.assertEqual(len(one), 10)
        self.assertEqual(one, sorted(one), "the order of the file stays")
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)
        self.assertNotEqual(one, [f"R{n:06d}" for n in range(1, 11)])

    def test_bom_quoted_newlines_and_crlf_are_read(self):
        rows = "\ufeff" + house.recipients(3, address2='a "b"\nc').replace("\n", "\r\n")
        h = self.with_layout(layout('"recipient_id", "address2"'), {"recipients.csv": rows})
        self.assertEqual([r["address2"] for r in look.records(h.pickup()[0])], ['a "b"\r\nc'] * 3)

    def test_another_delimiter(self):
        h = self.with_layout(layout(), {"recipients.csv": house.recipients(3).replace(",", "\t")}, target='delimiter = "\\t";')
        self.assertEqual(len(self.ids(h)), 3)


class Seeds(Case):
    def seeded(self, mode, target=""):
        seeds = ",".join(house.HEADER) + "\n" + "".join(f"S{n},,,,,,,{code},X,FR,,,,,,\n" for n, code in ((1, "05000"), (2, "99999")))
        rows = house.recipients(10, postcode=lambda n: f"{(11 - n) * 5000:05d}")
        h = self.with_layout(layout('"reference", "recipient_id"'), {"recipients.csv": rows, "seeds.csv": seeds},
                             target=f'seeds = "seeds.csv"; seed_mode = "{mode}"; order = [ "postcode" ]; {target}')
        got = look.records(h.pickup()[0])
        self.assertEqual([r["reference"] for r in got], [f"a-{n}" for n in range(1, 13)])
        about = look.manifest(h.pickup()[0])
        self.assertEqual((about["rows"], about["records"], about["seeds"], about["files"][0]["records"]), (10, 10, 2, 12))
        return [r["recipient_id"] for r in got]

    def test_start(self):
        self.assertEqual(self.seeded("start")[:2], ["S1", "S2"])

    def test_end(self):
        self.assertEqual(self.seeded("end")[-2:], ["S1", "S2"])

    def test_sorted_stand_where_the_order_puts_them(self):
        got = self.seeded("sorted")
        self.assertEqual(got[-1], "S2")
        self.assertIn(got.index("S1"), (0, 1), "05000 is the lowest postcode, and R000010 has it too")

    def test_random_is_somewhere_and_the_same_again(self):
        got = self.seeded("random", "random_seed = 5;")
        self.assertEqual(sorted(got), sorted([f"R{n:06d}" for n in range(1, 11)] + ["S1", "S2"]))
        self.assertEqual([k for k in got if k[0] == "R"], [f"R{n:06d}" for n in range(10, 0, -1)])
        self.assertEqual(got, self.seeded("random", "random_seed = 5;"))

    def test_seeds_without_the_key_column_are_refused(self):
        h = self.house()
        h.drop("a", {"recipients.csv": house.recipients(3), "seeds.csv": "id\n1\n"}, target='seeds = "seeds.csv";')
        h.once()
        self.assertRegex(h.refused()["a"], r"seeds\.csv:1: .*; ")


class Same(Case):
    def test_the_same_delivery_gives_the_same_data_with_1_2_and_8_threads(self):
        rows = house.recipients(6000, city=lambda n: f"c{n * 7919 % 1009}", last_name=lambda n: f"N{n % 4000}", address2=lambda n: "x" * (n % 700))
        seeds = ",".join(house.HEADER) + "\n" + "".join(f"S{n},,,,,,,,c{n},FR,,,,,,\n" for n in range(40))
        digests = set()
        for threads in (1, 2, 8):
            h = self.with_layout(layout('"reference", "recipient_id", "last_name", "address2", "city"', rows_per_file="1500"),
                                 {"recipients.csv": rows, "seeds.csv": seeds}, threads=threads,
                                 target='dedupe = [ "last_name" ]; order = [ "city", "-recipient_id" ]; limit = 3500; seeds = "seeds.csv"; seed_mode = "random";')
            about = look.manifest(h.pickup()[0])
            self.assertEqual((about["records"], about["seeds"]), (3500, 40))
            digests.add(json.dumps(about["files"]) + (h.where("a") / "excluded.csv").read_text())
        self.assertEqual(len(digests), 1)

    def test_a_large_list_gives_the_same_data_as_it_is_packed_and_with_1_2_and_8_threads(self):
        """As it is, it is read again while it is delivered; packed, its rows are kept."""
        rows = house.recipients(20000, city=lambda n: f"c{n * 7919 % 1009}", last_name=lambda n: f"N{n % 15000}", address2=lambda n: "x" * (n % 500))
        self.assertGreater(len(rows), 4 << 20)
        seeds = ",".join(house.HEADER) + "\n" + "".join(f"S{n},,,,,,,,c{n},FR,,,,,,\n" for n in range(40))
        seen = set()
        for recipients, threads in ((rows, 1), (rows, 2), (rows, 8), (gzip.compress(rows.encode()), 2)):
            h = self.with_layout(layout('"reference", "recipient_id", "last_name", "address2", "city"', rows_per_file="6000"),
                                 {"recipients.csv": recipients, "seeds.csv": seeds}, threads=threads,
                                 target='dedupe = [ "last_name" ]; order = [ "city", "-recipient_id" ]; limit = 14000; seeds = "seeds.csv"; seed_mode = "sorted";')
            about = look.manifest(h.pickup()[0])
            self.assertEqual((about["records"], about["seeds"]), (14000, 40))
            seen.add(json.dumps(about["files"]) + (h.where("a") / "excluded.csv").read_text())
        self.assertEqual(len(seen), 1)

    def test_the_pickup_is_never_half_visible(self):
        h = self.house()
        h.make_spool()
        h.start()
        pickup = h.spool / "outbox/routers/nord-routage/pickup"
        h.drop("a", {"recipients.csv": house.recipients(20000)})
        seen = []

        def watched():
            names = sorted(p.name for p in pickup.iterdir()) if pickup.exists() else []
            if names and (not seen or seen[-1] != names):
                seen.append(names)
                for name in names:
                    self.assertRegex(name, r"\.zip(\.sha256)?$", "no name of something unfinished")
                if any(n.endswith(".zip") for n in names):
                    self.assertEqual(len(names), 2, "the digest is there before the archive")
                    look.run(f"sha256sum -c --status {[n for n in names if n.endswith('.sha256')][0]}", cwd=pickup)
            return h.place("a") == ["outbox"] and look.state(h, "a") == "handed-over"
        h.until(watched, "handed over")
        self.assertEqual(len(look.records(h.pickup()[0])), 20000)


if __name__ == "__main__":
    house.main()
