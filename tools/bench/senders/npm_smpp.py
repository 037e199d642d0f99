"""npm's smpp as a client: the same texts, connections and window."""
import npm
import send_house
from senders import turn

SCRIPT = __file__.removesuffix(".py") + ".cjs"


class NpmSmpp:
    name = f"{npm.SMPP.replace('@', ' ')} of npm as client"

    @staticmethod
    def missing(job):
        return npm.missing(job, npm.SMPP)

    def run(self, job, count, peer):
        return turn.run(self.name, ["node", SCRIPT, npm.home(job), str(getattr(job.relays, peer)), job.relays.ca, str(count),
                                    str(send_house.SMS_CONNECTIONS), str(send_house.SMS_WINDOW), send_house.SMS], count)
