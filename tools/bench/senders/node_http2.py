"""Node's own HTTP/2 client: the same bodies and connections, as many requests at once on each."""
import json
import shutil

import send_house
from senders import turn

SCRIPT = __file__.removesuffix(".py") + ".cjs"


class NodeHttp2:
    name = "Node's http2 as client"

    @staticmethod
    def missing(job):
        del job
        return "no node on PATH (Debian: nodejs)" if shutil.which("node") is None else None

    def run(self, job, count, peer):
        return turn.run(self.name, ["node", SCRIPT, str(getattr(job.relays, peer)), job.relays.ca, str(count),
                                    str(send_house.PUSH_CONNECTIONS), str(send_house.PUSH_STREAMS),
                                    json.dumps(send_house.PUSH)], count)
