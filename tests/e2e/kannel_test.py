#!/usr/bin/env python3
"""Text messages as Kannel reads them: both alphabets, the extension table, parts that it puts together."""
import kannel
import relay
import smsc

SETTINGS = """channels = { sms = { transport = "smpp"; host = "localhost"; port = %d; ca_file = "%s"; system_id = "shop";
  password_file = "smpp.password"; window = 4; timeout = "20s"; sender = "Shop"; }; };"""
GSM = "Hello {{last_name}}: {10%} off [all] ~^| 5 \u20ac, \u00e9\u00e8\u00f9\u00e0 \u00c4\u00d6\u00dc\u00df\u00f1\u00bf \u0394\u03a9 @_\u00a3$"
LONG = "{{last_name}} " + "[0123456789] " * 30  # brackets take two septets each, one of which no part may cut off
EMOJI = "Bonjour {{last_name}} \U0001F600 \u4f60\u597d "
LONG_EMOJI = "{{last_name}} " + "\U0001F600\U0001F381" * 50  # four bytes each, which no part may cut


class Second(smsc.Case):
    def sent_to_kannel(self, text, count=5):
        """(bridge, Kannel) after a delivery of that text went through."""
        authority = relay.Authority(self.dir)
        bridge = kannel.Bridge(self, authority.make("localhost", "DNS:localhost"))
        box = kannel.Kannel(self, bridge)
        made = self.office(SETTINGS % (bridge.ours.port, authority.pem))
        self.drop(made, count=count, text=text)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"]), ("finished", count), made.log())
        self.assertEqual(bridge.refused, [])
        relay.until(lambda: len(box.messages) >= count, "Kannel tells all of them")
        return bridge, box

    def check(self, text, parts, coding, count=5):
        bridge, box = self.sent_to_kannel(text, count)
        self.assertEqual(len(bridge.submitted), parts * count)
        self.assertEqual(box.texts(), {f"+3361234{n:04d}": text.replace("{{last_name}}", f"Durand{n}")
                                       for n in range(1, count + 1)})
        self.assertEqual({(message["from"], message["coding"], message["udh"]) for message in box.messages},
                         {("Shop", coding, "")})
        self.assertEqual(len(box.messages), count)  # each of them once, and no part of its own

    def test_the_gsm_alphabet_with_its_extension_is_read_as_it_was_meant(self):
        self.check(GSM, 1, "0")

    def test_parts_of_the_gsm_alphabet_are_put_together(self):
        self.check(LONG, 3, "0")

    def test_ucs_2_with_surrogate_pairs_is_read_as_it_was_meant(self):
        self.check(EMOJI, 1, "2")

    def test_parts_of_ucs_2_are_put_together(self):
        self.check(LONG_EMOJI, 4, "2")


if __name__ == "__main__":
    smsc.house.main()
