#!/usr/bin/env python3
"""Sending with the real programs: from the drop to the relay, and what becomes of everybody."""
import email
import email.policy
import re
import time
import unittest

import house
import look
import relay
import sending


class Way(sending.Case):
    """The plain way of a delivery, into the embedded maildir and over TLS."""

    def read(self, raw):
        return email.message_from_bytes(raw, policy=email.policy.default)

    def check_message(self, raw, number):
        message = self.read(raw)
        self.assertEqual((message["From"], message["Subject"]), ("Shop <shop@example.net>", "Hello Zoé \U0001F4EE"))
        self.assertEqual(message["To"], f"r{number}@example.net")
        text = message.get_body(("plain",)).get_content()
        self.assertEqual(text, f"Hello Zoé Durand{number},\n.\nyours\n")
        self.assertNotIn(b"\n", raw.replace(b"\r\n", b""))
        return message

    def test_confirmed_and_due__arrives_as_written_and_is_finished(self):
        office = self.office()
        made = self.post(office.port)
        self.drop(made, confirm="true")
        made.once()
        self.assertEqual((self.state(made), made.place("a")), ("confirmation-pending", ["pending"]))
        made.cli("confirm", "a")
        done = made.once()
        self.assertEqual((self.state(made), made.place("a")), ("finished", ["done"]), made.log()[-3000:])
        self.assertEqual(done.counts["sent"], "1")
        self.assertEqual(sorted(office.to()), sorted(f"r{n}@example.net" for n in range(1, 11)))
        ids = set()
        for to, raw in office.got:
            ids.add(self.check_message(raw, re.match(r"r(\d+)@", to)[1])["Message-ID"])
        self.assertEqual(len(ids), 10)


if __name__ == "__main__":
    house.main()
