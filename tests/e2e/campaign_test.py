#!/usr/bin/env python3
"""One campaign over every channel: a letter, an e-mail, a text, a push and an in-app message from dropped files to
`finished`, and what they cost together."""
import house
import pusher

SERVICES = """services = (
    { name = "post"; channel = "mail"; finish_on = "hand-over"; layout = { columns = ( "reference", "last_name" ); };
      costs = ( { category = "postage"; type = "eco"; rule = "linear"; amount = "1.10"; per = 1; } ); },
    { name = "mailing"; channel = "email";
      costs = ( { category = "message"; type = "one"; rule = "linear"; amount = "3.00"; per = 1000; } ); },
    { name = "text"; channel = "sms";
      costs = ( { category = "part"; type = "one"; rule = "linear"; amount = "50.00"; per = 1000; } ); },
    { name = "device"; channel = "push";
      costs = ( { category = "message"; type = "one"; rule = "linear"; amount = "1.00"; per = 1000; } ); },
    { name = "screen"; channel = "inapp";
      costs = ( { category = "setup"; type = "flat"; rule = "fixed"; amount = "7.00"; } ); },"""

# service, content, address column, cost of 1,000 recipients
DELIVERIES = {
    "mail": ("post", "", "", "1100.00"),
    "email": ("mailing", 'subject = "Hello {{first_name}}"; text = "mail.txt"; from = "Shop <shop@example.net>";', "email", "3.00"),
    "sms": ("text", 'text = "Hello {{first_name}} %s"; sender = "Shop";' % ("x" * 200), "mobile", "100.00"),  # two parts each
    "push": ("device", 'title = "Hello"; body = "For {{last_name}}";', "company", "1.00"),
    "inapp": ("screen", 'title = "Hello"; body = "For {{last_name}}";', "recipient_id", "7.00"),
}
COUNT = 1000


class Campaign(pusher.Case):
    def drop_all(self, made):
        rows = house.recipients(COUNT, mobile=lambda n: f"+33639{n:06d}", company=lambda n: f"token-{n}")
        for channel, (service, content, address, _) in DELIVERIES.items():
            online = f"content = {{ {content} }}; confirm = false;" if content else ""
            column = f'address = "{address}";' if address else ""
            made.drop(f"spring-{channel}", {"recipients.csv": rows, "mail.txt": "Hello {{last_name}}\n"}, conf=f"""
campaign = "spring-2027"; channel = "{channel}"; label = "Spring offer"; provider = "nord-routage"; service = "{service}";
target = {{ file = "recipients.csv"; key = "recipient_id"; {column} }};
{online}
""")

    def test_five_channels_end_and_costs_adds_them_up(self):
        self.peer()
        made = self.house(top=f'channels = {{ push = {{ transport = "http"; url = "{self.url}/ok"; '
                              f'ca_file = "{self.authority.pem}"; connections = 2; }}; }};')
        made.conf.write_text(made.conf.read_text().replace("services = (", SERVICES, 1))
        made.make_spool()
        self.drop_all(made)
        made.once()
        self.assertEqual(made.refused(), {})
        for channel, (_, _, _, cost) in DELIVERIES.items():
            with self.subTest(channel=channel):
                shown = made.show(f"spring-{channel}")
                self.assertEqual((made.place(f"spring-{channel}"), shown["state"], shown["records"]), (["done"], "finished", COUNT), made.log()[-2000:])
                if channel != "mail":
                    self.assertEqual((shown["sent"], shown["failed"], shown["uncertain"]), (COUNT, 0, 0))
                said = made.cli("costs", f"loyalty/spring-2027/spring-{channel}", check=0).stdout
                self.assertRegex(said, rf"(?m)(^|\s){cost}(\s|$)")
        self.assertRegex(made.cli("costs", "loyalty/spring-2027", check=0).stdout, r"(?m)(^|\s)1211\.00(\s|$)")
        got = [one["key"] for one in self.got()]
        self.assertEqual((len(got), len(set(got))), (COUNT, COUNT))
        made.cli("ledger", "verify", check=0)


if __name__ == "__main__":
    house.main()
