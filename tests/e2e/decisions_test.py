#!/usr/bin/env python3
"""Decisions: who may answer which step, what an answer does, and what is told to one who comes too late."""

import house
import look

REVIEWED = "target = true; content = true; extraction = true;"


def round_of(h, id):
    """The decisions that the journal records, as (event, step, who)."""
    return [(e["event"], e.get("step", "delivery"), e["who"]) for e in look.events(h, id)
            if e["event"] in ("approved", "rejected", "withdrawn", "reset", "confirmed", "held", "released", "restarted")]


class Case(house.Case):
    def waiting(self, approvals=REVIEWED, more="", operators=(), dropper=None, **settings):
        """A house in which delivery `a` waits for its approvals."""
        h = self.house(approvals=approvals, operators=[look.operator(*o) if isinstance(o, tuple) else look.operator(o) for o in operators],
                       **settings)
        h.drop("a", more=more, uid=look.uid(dropper) if dropper else None)
        h.once()
        self.assertEqual(h.refused(), {})
        return h

    def decide(self, h, step, decision, by=None, more="", id="a"):
        h.decide(id, step, decision, uid=look.uid(by) if by else None, more=more)
        h.once()

    def accepted(self, h, step, decision, by=None, more=""):
        before = len(h.refused())
        self.decide(h, step, decision, by, more)
        self.assertEqual(len(h.refused()), before, h.refused())

    def refused(self, h, step, decision, by=None, more="", says="."):
        before = set(h.refused())
        self.decide(h, step, decision, by, more)
        new = set(h.refused()) - before
        self.assertEqual(len(new), 1, f"{decision} of {step} by {by} was not refused")
        name = new.pop()
        self.assertTrue((h.spool / "refused" / name).exists())
        reason = h.refused()[name]
        self.assertRegex(reason, says)
        self.assertIn("; ", reason, "no mend")
        return reason


class Steps(Case):
    def test_the_whole_way_by_approval_files(self):
        h = self.waiting()
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.accepted(h, "target", "approve")
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.accepted(h, "content", "approve", more='comment = "Checked with legal.";')
        self.assertEqual((h.place("a"), look.state(h, "a")), (["extract"], "extraction-to-approve"))
        self.assertEqual(h.pickup(), [])
        self.accepted(h, "extraction", "approve")
        self.assertEqual((h.place("a"), look.state(h, "a")), (["outbox"], "handed-over"))
        self.assertEqual(len(h.pickup()), 1)
        self.assertEqual(round_of(h, "a"), [("approved", "target", "alice"), ("approved", "content", "alice"), ("approved", "extraction", "alice")])
        self.assertIn("Checked with legal.", [e.get("comment") for e in look.events(h, "a")])
        self.assertEqual(len(list((h.where("a") / "decisions").iterdir())), 3)
        self.assertEqual(list((h.spool / "approved").iterdir()), [])

    def test_the_archive_moves_never_a_copy(self):
        h = self.waiting("extraction = true;")
        archive = next(p for p in (h.where("a") / "extraction").iterdir() if p.suffix == ".zip")
        inode = archive.stat().st_ino
        self.accepted(h, "extraction", "approve")
        self.assertEqual((h.pickup()[0].stat().st_ino, h.pickup()[0].stat().st_nlink), (inode, 1))
        self.assertFalse((h.where("a") / "extraction" / archive.name).exists())

    def test_a_rejected_step_stays_rejected_with_its_comment(self):
        h = self.waiting()
        self.accepted(h, "target", "reject", more='comment = "Too many.";')
        self.accepted(h, "content", "approve")
        self.assertEqual(look.state(h, "a"), "target-ready")
        entry = next(e for e in look.events(h, "a") if e["event"] == "rejected")
        self.assertEqual((entry["step"], entry["comment"]), ("target", "Too many."))
        self.refused(h, "target", "approve")

    def test_withdraw_reopens_the_step_until_something_builds_on_it(self):
        h = self.waiting()
        self.accepted(h, "target", "reject")
        self.accepted(h, "target", "withdraw")
        self.accepted(h, "target", "approve")
        self.accepted(h, "content", "approve")
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")
        self.refused(h, "target", "withdraw")

    def test_withdraw_by_whoever_did_not_decide_is_refused(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob", "carol" ]; }; content = true;', operators=("bob", "carol"))
        self.accepted(h, "target", "approve", "bob")
        self.refused(h, "target", "withdraw", "carol")
        self.accepted(h, "target", "withdraw", "bob")
        self.accepted(h, "target", "approve", "carol")
        self.accepted(h, "target", "withdraw")  # alice is an administrator

    def test_content_reset_by_the_owner_reopens_it(self):
        h = self.waiting()
        self.accepted(h, "content", "approve")
        self.accepted(h, "content", "reset")
        self.accepted(h, "target", "approve")
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.accepted(h, "content", "approve")
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")

    def test_extraction_rejected_stays_until_a_restart(self):
        h = self.waiting("extraction = true;")
        self.accepted(h, "extraction", "reject", more='comment = "Wrong column.";')
        self.assertEqual((h.place("a"), look.state(h, "a")), (["extract"], "extraction-to-approve"))
        self.refused(h, "extraction", "approve")
        self.accepted(h, "extraction", "restart")
        self.accepted(h, "extraction", "approve")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_budget_waits_only_where_target_is_on(self):
        h = self.waiting("target = true; budget = true;")
        self.accepted(h, "target", "approve")
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.accepted(h, "budget", "approve")
        self.assertEqual(look.state(h, "a"), "handed-over")
        h = self.waiting("target = false; budget = true;")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_decisions_that_do_not_fit_the_state_or_step_are_refused(self):
        h = self.waiting()
        self.refused(h, "extraction", "approve")
        self.refused(h, "budget", "approve")
        self.refused(h, "target", "reset")
        self.refused(h, "target", "restart")
        self.refused(h, "delivery", "confirm")
        self.refused(h, "delivery", "release")
        self.refused(h, "delivery", "pause")
        self.refused(h, "target", "frobnicate", says="frobnicate")
        self.refused(h, "sauce", "approve", says="sauce")
        self.assertEqual(round_of(h, "a"), [])


class Basis(Case):
    def test_basis_holds_sha256sum_lines_and_its_digest_is_accepted(self):
        h = self.waiting("target = true; content = true; budget = true; extraction = true;")
        for step in ("target", "content", "budget"):
            for line in (h.where("a") / "basis" / step).read_text().splitlines():
                self.assertRegex(line, r"^[0-9a-f]{64}  \S")
            self.assertEqual(look.events(h, "a") and next(e["sha256"] for e in look.events(h, "a")
                             if e["event"] == "opened" and e["step"] == step), look.basis(h, "a", step))
            self.accepted(h, step, "approve", more=f'sha256 = "{look.basis(h, "a", step)}";')
        self.accepted(h, "extraction", "approve", more=f'sha256 = "{look.basis(h, "a", "extraction")}";')
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_the_basis_of_the_extraction_is_the_archive(self):
        h = self.waiting("extraction = true;")
        archive = next(p for p in (h.where("a") / "extraction").iterdir() if p.suffix == ".zip")
        self.assertIn(look.sha256(archive), (h.where("a") / "basis/extraction").read_text())


class Reviewers(Case):
    def test_named_reviewers_decide_and_others_do_not(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob" ]; }; content = true;', operators=("bob", "carol"))
        self.refused(h, "target", "approve", "carol", says="carol")
        self.accepted(h, "target", "approve", "bob")

    def test_a_group_decides_by_any_of_its_members(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "@finance" ]; }; content = { reviewers = [ "@finance" ]; };',
                         operators=(("bob", 'groups = [ "finance" ];'), ("carol", 'groups = [ "finance" ];'), "dave"))
        self.refused(h, "target", "approve", "dave")
        self.accepted(h, "target", "approve", "carol")
        self.accepted(h, "content", "approve", "bob")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_no_reviewer_named_the_owner_decides(self):
        self.need_root()
        h = self.waiting("target = true;", operators=("bob", "carol"), dropper="bob")
        self.refused(h, "target", "approve", "carol")
        self.accepted(h, "target", "approve", "bob")

    def test_the_owner_may_not_where_reviewers_are_named_and_he_is_not_among_them(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "carol" ]; };', operators=("bob", "carol"), dropper="bob")
        self.refused(h, "target", "approve", "bob")
        self.accepted(h, "target", "approve", "carol")

    def test_owner_confirmation_lets_him(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "carol" ]; };', operators=("bob", "carol"), dropper="bob", top="owner_confirmation = true;")
        self.accepted(h, "target", "approve", "bob")

    def test_an_administrator_may_always(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "carol" ]; };', operators=("bob", "carol"), dropper="bob")
        self.accepted(h, "target", "approve")

    def test_four_eyes_nobody_decides_on_his_own_drop_not_even_an_administrator(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob" ]; };', operators=("bob",), top="four_eyes = true;")
        self.refused(h, "target", "approve")
        self.accepted(h, "target", "approve", "bob")
        h = self.waiting("target = true;", operators=("bob",), dropper="bob", top="four_eyes = true;")
        self.refused(h, "target", "approve", "bob")
        self.accepted(h, "target", "approve")

    def test_all_wants_an_answer_of_each_named(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob", "carol" ]; all = true; };', operators=("bob", "carol"))
        self.accepted(h, "target", "approve", "bob")
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.refused(h, "target", "approve", "bob")
        self.accepted(h, "target", "approve", "carol")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_all_one_rejection_is_enough(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob", "carol" ]; all = true; };', operators=("bob", "carol"))
        self.accepted(h, "target", "reject", "carol")
        self.refused(h, "target", "approve", "bob")
        self.assertEqual(look.state(h, "a"), "target-ready")

    def test_operators_are_looked_up_when_somebody_decides(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "@finance" ]; };', operators=("bob", ("carol", 'groups = [ "finance" ];')))
        self.refused(h, "target", "approve", "bob")
        h.conf.write_text(h.conf.read_text().replace('email = "bob@example.net";', 'email = "bob@example.net"; groups = [ "finance" ];'))
        self.accepted(h, "target", "approve", "bob")

    def test_a_late_answer_is_told_who_was_first(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob", "carol" ]; }; content = true;', operators=("bob", "carol"))
        self.accepted(h, "target", "approve", "bob")
        self.refused(h, "target", "reject", "carol", says="bob")
        self.assertEqual(round_of(h, "a"), [("approved", "target", "bob")])

    def test_in_approved_operator_the_owner_must_be_that_operator(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob" ]; }; content = { reviewers = [ "bob" ]; };', operators=("bob", "carol"))
        text = 'delivery = "a"; step = "{}"; decision = "approve";'
        h.approval("t.conf", text.format("target"), uid=look.uid("bob"), operator="carol")
        h.approval("c.conf", text.format("content"), uid=look.uid("bob"), operator="bob")
        h.once()
        self.assertEqual(len(h.refused()), 1, h.refused())
        self.assertIn("carol", next(iter(h.refused().values())))
        self.assertEqual(round_of(h, "a"), [("approved", "content", "bob")])


class Starting(Case):
    def test_confirm_true_waits_for_the_confirmation(self):
        h = self.waiting("", more="confirm = true;")
        self.assertEqual((h.place("a"), look.state(h, "a")), (["pending"], "confirmation-pending"))
        self.accepted(h, "delivery", "confirm")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_start_reviewers_and_administrators_confirm_the_owner_does_not(self):
        self.need_root()
        h = self.waiting("", more='confirm = true; approvals = { delivery = { reviewers = [ "carol" ]; }; };', operators=("bob", "carol"), dropper="bob")
        self.refused(h, "delivery", "confirm", "bob")
        self.accepted(h, "delivery", "confirm", "carol")

    def test_no_start_reviewer_the_owner_confirms(self):
        self.need_root()
        h = self.waiting("", more="confirm = true;", operators=("bob", "carol"), dropper="bob")
        self.refused(h, "delivery", "confirm", "carol")
        self.accepted(h, "delivery", "confirm", "bob")

    def test_owner_confirmation_lets_the_owner_confirm_all_the_same(self):
        self.need_root()
        h = self.waiting("", more='confirm = true; approvals = { delivery = { reviewers = [ "carol" ]; }; };', operators=("bob", "carol"),
                         dropper="bob", top="owner_confirmation = true;")
        self.accepted(h, "delivery", "confirm", "bob")

    def test_hold_in_pending_keeps_it_there_until_released(self):
        h = self.waiting("target = true;")
        self.accepted(h, "delivery", "hold")
        self.accepted(h, "target", "approve")
        self.assertEqual(h.place("a"), ["pending"])
        self.accepted(h, "delivery", "release")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_hold_in_extract_keeps_it_from_the_router(self):
        h = self.waiting("extraction = true;")
        self.accepted(h, "delivery", "hold")
        self.accepted(h, "extraction", "approve")
        self.assertEqual((h.place("a"), h.pickup()), (["extract"], []))
        self.accepted(h, "delivery", "release")
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_hold_after_hand_over_is_refused(self):
        h = self.waiting("")
        self.refused(h, "delivery", "hold")
        self.refused(h, "delivery", "release")


class Stopping(Case):
    def stop_in(self, state, **settings):
        h = self.waiting(**settings)
        self.assertEqual(look.state(h, "a"), state)
        self.accepted(h, "delivery", "stop", more='comment = "No longer wanted.";')
        self.assertEqual((h.place("a"), look.state(h, "a")), (["done"], "stopped"))
        self.assertIn("No longer wanted.", h.journal("a"))
        self.assertEqual(h.pickup(), [])
        return h

    def test_in_target_ready(self):
        h = self.stop_in("target-ready")
        self.assertEqual([k for k in look.keys(h, "cost") if k.startswith("a/extraction")], [])

    def test_in_extraction_pending(self):
        self.stop_in("extraction-pending", approvals="", more='schedule = { extract_at = "2099-01-01T00:00:00+01:00"; };')

    def test_in_confirmation_pending(self):
        self.stop_in("confirmation-pending", approvals="", more="confirm = true;")

    def test_in_extraction_to_approve_reverses_cost_and_stock(self):
        h = self.stop_in("extraction-to-approve", approvals="extraction = true;")
        for name in ("cost", "stock"):
            self.assertEqual([k for k in look.keys(h, name) if k.startswith("a/extraction")], ["a/extraction/1", "a/extraction/1/reversed"])

    def test_in_preparation_error(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(2) + 'x,"\n'})
        h.once()
        self.assertEqual(look.state(h, "a"), "preparation-error")
        self.accepted(h, "delivery", "stop")
        self.assertEqual((h.place("a"), look.state(h, "a")), (["done"], "stopped"))

    def test_while_held(self):
        h = self.waiting()
        self.accepted(h, "delivery", "hold")
        self.accepted(h, "delivery", "stop")
        self.assertEqual(look.state(h, "a"), "stopped")

    def test_after_hand_over_only_with_recalled_and_the_archive_goes(self):
        h = self.waiting("")
        self.assertEqual(look.state(h, "a"), "handed-over")
        self.refused(h, "delivery", "stop", says="recalled")
        self.assertEqual(len(h.pickup()), 1)
        self.accepted(h, "delivery", "stop", more="recalled = true;")
        self.assertEqual((h.place("a"), look.state(h, "a"), h.pickup()), (["done"], "stopped", []))

    def test_in_done_is_refused(self):
        h = self.waiting("", finish_on="hand-over")
        self.assertEqual(look.state(h, "a"), "finished")
        self.refused(h, "delivery", "stop")

    def test_by_someone_with_no_right_to_is_refused(self):
        self.need_root()
        h = self.waiting(operators=("bob",))
        self.refused(h, "delivery", "stop", "bob")
        self.assertEqual(look.state(h, "a"), "target-ready")


class Restarting(Case):
    def test_without_layout_fixes_the_rows_anew(self):
        h = self.waiting("extraction = true;")
        first = next(p.name for p in (h.where("a") / "extraction").iterdir() if p.suffix == ".zip")
        self.accepted(h, "extraction", "restart")
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")
        second = next(p.name for p in (h.where("a") / "extraction").iterdir() if p.suffix == ".zip")
        self.assertEqual(first, second, "the same data has the same name")
        self.assertEqual([e["round"] for e in look.events(h, "a") if e["event"] == "extracted"], ["1", "2"])
        self.assertTrue((h.where("a") / "revisions/extraction-1").is_dir())
        self.refused(h, "target", "approve")

    def test_with_a_layout_extracts_with_it(self):
        h = self.waiting("extraction = true;")
        layout = 'layout = { format = "csv"; delimiter = "|"; encoding = "UTF-8"; header = true; container = "zip"; ' \
                 'name = "again_{{delivery}}"; columns = ( "recipient_id", "reference" ); };'
        self.accepted(h, "extraction", "restart", more=layout)
        self.accepted(h, "extraction", "approve")
        self.assertTrue(h.pickup()[0].name.startswith("again_a_"), h.pickup())
        rows = look.records(h.pickup()[0], "utf-8", "|")
        self.assertEqual(list(rows[0]), ["recipient_id", "reference"])
        self.assertEqual(rows[9]["reference"], "a-10")

    def test_with_a_layout_that_names_no_column_is_refused_and_the_extraction_stands(self):
        h = self.waiting("extraction = true;")
        layout = 'layout = { format = "csv"; container = "zip"; name = "x"; columns = ( "no_such_column" ); };'
        self.refused(h, "extraction", "restart", more=layout, says="no_such_column")
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")
        self.assertEqual([k for k in look.keys(h, "cost")], ["a/extraction/1"])

    def test_reopens_the_approval_and_an_answer_to_the_first_round_is_stale(self):
        h = self.waiting("extraction = true;")
        old = look.basis(h, "a", "extraction")
        layout = 'layout = { format = "csv"; container = "zip"; name = "x"; columns = ( "recipient_id" ); };'
        self.accepted(h, "extraction", "restart", more=layout)
        self.refused(h, "extraction", "approve", more=f'sha256 = "{old}";')
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")

    def test_reads_the_suppression_list_of_the_delivery_again_only_from_its_own_copy(self):
        h = self.house(approvals="extraction = true;")
        h.drop("a", {"recipients.csv": house.recipients(5), "no.csv": "recipient_id\nR000002\n"}, target='exclude = [ "no.csv" ];')
        h.once()
        self.accepted(h, "extraction", "restart")
        self.accepted(h, "extraction", "approve")
        self.assertEqual([r["recipient_id"] for r in look.records(h.pickup()[0])], ["R000001", "R000003", "R000004", "R000005"])

    def test_by_someone_who_reviews_nothing_is_refused(self):
        self.need_root()
        h = self.waiting("extraction = true;", operators=("bob",))
        self.refused(h, "extraction", "restart", "bob")


if __name__ == "__main__":
    house.main()
