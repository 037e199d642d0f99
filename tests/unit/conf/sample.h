/* sample - the house of CONTRACT.md section 9, as tests of conf and of delivery load it */
#ifndef POSTROOM_TESTS_UNIT_CONF_SAMPLE_H
#define POSTROOM_TESTS_UNIT_CONF_SAMPLE_H

#define SAMPLE_PEOPLE                                                                              \
    "operators = (\n"                                                                              \
    "  { name = \"alice\"; user = \"alice\"; email = \"alice@example.net\";"                       \
    " groups = [ \"marketing\" ]; admin = false; },\n"                                             \
    "  { name = \"bob\"; user = \"bob\"; groups = [ \"marketing\" ]; on_behalf = true; },\n"       \
    "  { name = \"carol\"; user = \"carol\"; groups = [ \"finance\" ]; finance = true; },\n"       \
    "  { name = \"dora\"; user = \"dora\"; admin = true; } );\n"                                   \
    "programmes = ( { name = \"loyalty\"; budget = { allocated = \"50000.00\"; }; } );\n"

#define SAMPLE_GLOBALS                                                                             \
    "spool = \"../spool\";  templates = \"../templates\";  settle = 2.0;\n"                        \
    "timezone = \"UTC\";  currency = \"EUR\";\n"                                                   \
    "owner_confirmation = false;  four_eyes = false;  notices = true;\n"

#define SAMPLE_CAMPAIGNS                                                                           \
    "campaigns = (\n"                                                                              \
    "  { name = \"spring-2027\"; programme = \"loyalty\"; owner = \"alice\";\n"                    \
    "    budget = { allocated = \"10000.00\"; commitment = \"reserved\"; status = \"defined\"; };" \
    "\n    approvals = { budget = { reviewers = [ \"@finance\" ]; }; }; } );\n"

#define SAMPLE_PROVIDERS                                                                           \
    "providers = (\n"                                                                              \
    "  { name = \"nord-routage\"; email = [ \"prod@nord.example\" ]; group = \"sftp-nord\";\n"     \
    "    services = (\n"                                                                           \
    "    { name = \"letter\"; channel = \"mail\"; notice = \"router-notice\";\n"                   \
    "      finish_on = \"ack\"; returns_wait = \"10d\";\n"                                         \
    "      costs = (\n"                                                                            \
    "        { category = \"envelope\"; type = \"c5\"; rule = \"linear\"; amount = \"12.00\";"     \
    " per = 1000; stock = \"nord/env-c5\"; },\n"                                                   \
    "        { category = \"postage\"; type = \"eco\"; rule = \"linear_by_threshold\";\n"          \
    "          steps = ( { upto = 100; amount = \"0.13\"; }, { upto = 1000; amount = \"0.12\"; } " \
    ");\n          beyond = \"0.11\"; mandatory = true; },\n"                                      \
    "        { category = \"setup\"; type = \"flat\"; rule = \"fixed\"; amount = \"150.00\";"      \
    " selected = false; } );\n"                                                                    \
    "      layout = { format = \"csv\"; delimiter = \";\"; encoding = \"windows-1252\";"           \
    " header = true; container = \"zip\";\n"                                                       \
    "        name = \"{{campaign}}_{{delivery}}_{{date}}\";\n"                                     \
    "        columns = ( \"reference\", \"last_name\", { name = \"line1\"; value = \"{{title}} "   \
    "{{first_name}} {{last_name}}\"; } ); };\n"                                                    \
    "    },\n"                                                                                     \
    "    { name = \"blast\"; channel = \"email\"; } ); } );\n"                                     \
    "stocks = ( { name = \"nord\"; provider = \"nord-routage\"; lines = (\n"                       \
    "  { name = \"env-c5\"; initial = 1000; alert = 200;\n"                                        \
    "    orders = ( { id = \"o-17\"; date = \"2027-03-05\"; quantity = 5000; } ); } ); } );\n"

#define SAMPLE_DEFAULTS                                                                            \
    "defaults = { approvals = { target = true; content = true; extraction = true; }; };\n"

#define SAMPLE_MORE                                                                                \
    "extract = { memory = \"256MiB\"; threads = 0; window = \"22:00-06:00\"; };\n"                 \
    "retention = { pickup = \"15d\"; done = \"90d\"; };\n"                                         \
    "min_free = \"0\";  allowed_signers = \"allowed_signers\";  signature_above = \"5000.00\";\n"

#define SAMPLE_CHANNELS                                                                            \
    "channels = {\n"                                                                               \
    "  mail = { suppress = [ \"robinson.csv\", \"/abs/list.csv\" ]; };\n"                          \
    "  email = { transport = \"smtp\"; host = \"relay.example.net\"; port = 465; tls = "           \
    "\"connect\";\n"                                                                               \
    "    ca_file = \"\"; user = \"\"; password_file = \"\"; from = \"Shop "                        \
    "<shop@example.net>\"; connections = 10; rate = 0;\n"                                          \
    "    dkim = { domain = \"example.net\"; selector = \"pr1\"; key_file = \"dkim.pem\"; }; };\n"  \
    "  sms = { transport = \"smpp\"; host = \"...\"; port = 3550; tls = \"connect\"; system_id = " \
    "\"...\"; password_file = \"...\"; window = 32; };\n"                                          \
    "  push = { transport = \"http\"; url = \"https://...\"; token_file = \"...\"; body = "        \
    "\"push.json\"; };\n"                                                                          \
    "  inapp = { transport = \"http\"; url = \"https://...\"; token_file = \"...\"; body = "       \
    "\"inapp.json\"; uncertain = \"resend\"; timeout = \"5s\"; retry_for = \"1d\"; }; };\n"

#define SAMPLE_HOUSE SAMPLE_GLOBALS SAMPLE_DEFAULTS SAMPLE_PEOPLE SAMPLE_CAMPAIGNS SAMPLE_PROVIDERS

#endif
