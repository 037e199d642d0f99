"""Edges where two things meet: two deliveries with one archive name, a drop that changes while it is read, lists of the
channel, folders in a door."""
import hashlib
import os
import time
import zipfile

import house
import look


class Names(house.Case):
    def test_an_archive_of_another_delivery_is_not_overwritten(self):
        conf = house.CONF.replace('name = "{{campaign}}_{{delivery}}_{{date}}"', 'name = "letters_{{hash}}"') \
                         .replace('columns = ( "reference", ', "columns = ( ")
        h = self.house(conf=conf % {"settle": "0.0", "approvals": "", "admin": "true", "top": "", "container": "zip",
                                    "operators": "", "threads": 1, "finish_on": "report", "user": house.ME})
        h.drop("a1")
        h.once()
        archive, = h.pickup()
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        h.drop("a2", files={"recipients.csv": house.recipients(10), "doc.txt": "x"}, more='documents = [ "doc.txt" ];')
        h.once()
        self.assertEqual([p.name for p in h.pickup()], [archive.name])
        self.assertEqual((archive.parent / (archive.name + ".sha256")).read_text().split()[0], digest)
        self.assertEqual(look.state(h, "a2"), "failed")
        self.assertEqual(h.place("a2"), ["done"])
        self.assertEqual([k for k in look.keys(h, "cost") if k.startswith("a2/")],
                         ["a2/extraction/1", "a2/extraction/1/reversed"])


class Drops(house.Case):
    def test_what_is_changed_while_it_is_read_comes_as_the_next_revision(self):
        h = self.house(approvals="target = true;")
        h.make_spool()
        h.start()
        h.drop("a", files={"recipients.csv": house.recipients(400000)})
        h.until(lambda: (h.spool / "run/intake/a/recipients.csv").exists(), "being copied")
        late = h.spool / "inbox/a/recipients.csv"
        if not late.exists():
            self.skipTest("it was taken before it could be changed")
        (h.spool / "inbox/a/recipients.csv").write_text(house.recipients(5))
        os.utime(h.spool / "inbox/a/delivery.conf")
        h.until(lambda: h.place("a") == ["pending"] and look.target(h, "a")["records"] == 5 or "a" in h.refused(),
                "the new rows are there, or somebody was told")
        self.assertNotIn("a", os.listdir(h.spool / "inbox"))

    def test_directories_made_inside_a_taken_drop_keep_nobody_from_starting(self):
        h = self.house()
        h.make_spool()
        deep = h.spool / "run/intake/.taken-x"
        deep.joinpath(*["d"] * 12).mkdir(parents=True)
        h.drop("good")
        self.assertEqual(h.once().counts["handed-over"], "1")


class Lists(house.Case):
    SUPPRESS = 'channels = { mail = { suppress = [ "optout.csv" ]; }; };'

    def test_the_channels_list_is_read_at_the_count_and_again_at_the_extraction(self):
        h = self.house(approvals="target = true;", top=self.SUPPRESS)
        (h.etc / "optout.csv").write_text("recipient_id\nR000002\n")
        h.drop("a")
        h.once()
        self.assertEqual(look.target(h, "a")["records"], 9)
        (h.etc / "optout.csv").write_text("recipient_id\nR000002\nR000003\n")
        h.decide("a", "target", "approve")
        h.once()
        archive, = h.pickup()
        with zipfile.ZipFile(archive) as z:
            data = z.read(next(n for n in z.namelist() if n.endswith("data.csv"))).decode("cp1252")
        self.assertNotIn("R000003", data)
        self.assertEqual(len(data.splitlines()), 9)
        self.assertEqual(look.target(h, "a")["records"], 8)
        self.assertEqual(h.show("a")["excluded"], {"suppressed": 2})
        self.assertEqual([(key, cause) for _, key, cause in look.excluded(h, "a")],
                         [("R000002", "suppressed"), ("R000003", "suppressed")])

    def test_a_list_that_is_missing_selects_nobody_and_waits(self):
        h = self.house(top=self.SUPPRESS)
        h.drop("a")
        self.assertEqual(h.once().counts["handed-over"], "0")
        self.assertEqual(h.pickup(), [])
        (h.etc / "optout.csv").write_text("recipient_id\nR000002\n")
        self.assertEqual(h.once().counts["handed-over"], "1")


class Doors(house.Case):
    def test_a_fault_in_an_operators_folder_leaves_the_file_of_that_name_in_the_door_alone(self):
        h = self.house(approvals="target = true;")
        h.drop("a")
        h.once()
        folder = h.spool / "approved/alice"
        folder.mkdir()
        os.mkfifo(folder / "go.conf")
        h.approval("go.conf", 'delivery = "a"; step = "target"; decision = "approve";')
        h.once()
        self.assertEqual(h.place("a"), ["outbox"])
        self.assertEqual(list(folder.iterdir()), [])
        self.assertIn("FIFO", "".join(h.refused().values()))

    def test_a_file_that_is_no_conf_is_not_obeyed(self):
        h = self.house(approvals="target = true;")
        h.drop("a")
        h.once()
        h.approval("go.conf.bak", 'delivery = "a"; step = "target"; decision = "approve";')
        h.once()
        self.assertEqual(h.place("a"), ["pending"])
        self.assertRegex(h.refused()["go.conf.bak"], r"\.conf")


class Revisions(house.Case):
    def test_a_rejected_step_is_opened_again_by_a_revision_that_changes_nothing_of_it(self):
        h = self.house(approvals="target = true;")
        h.drop("a")
        h.once()
        h.decide("a", "target", "reject")
        h.once()
        self.assertEqual([w["step"] for w in h.show("a")["waiting"]], [])
        time.sleep(0.01)  # another change time than the first drop's
        h.drop("a")
        h.once()
        self.assertEqual([w["step"] for w in h.show("a")["waiting"]], ["target"])


if __name__ == "__main__":
    house.main()
