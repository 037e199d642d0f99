"""What is finished costs nothing: done/ is not listed, and none of its deliveries is looked at, by a daemon that starts
and takes a drop in. Seen from its system calls: strace -y names the file behind each descriptor."""
import os
import re
import shutil
import subprocess

import house

FINISHED = 200
CALLS = "trace=openat,openat2,newfstatat,statx,getdents64,readlinkat,renameat2,unlinkat"


class Done(house.Case):
    def finished(self, made):
        """FINISHED deliveries in done/, each a whole copy of one that went its way."""
        made.drop("first")
        made.once()
        for number in range(FINISHED):
            shutil.copytree(made.where("first"), made.spool / f"done/finished-{number:03}")

    def calls(self, made):
        """What one `postroomd --once` asked the kernel about files, a line each."""
        trace = made.dir / "trace"
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # LeakSanitizer cannot work below a tracer
        subprocess.run(["strace", "-f", "-qq", "-y", "-s", "200", "-o", trace, "-e", CALLS, house.BIN / "postroomd", "-c",
                        made.conf, "--once"], env=env, check=True, capture_output=True, timeout=5 * house.WAIT_S)
        return trace.read_text().splitlines()

    def test_finished_deliveries__are_not_listed_nor_looked_at_by_a_start_and_a_drop(self):
        self.need("strace")
        made = self.house()
        self.finished(made)
        made.drop("new")
        lines = self.calls(made)
        self.assertEqual(made.place("new"), ["outbox"])
        done = re.escape(str(made.spool / "done"))
        self.assertTrue([line for line in lines if re.search(r"getdents64\(\d+<[^>]*/inbox>", line)], "strace names what is read")
        self.assertEqual([line for line in lines if re.search(rf"getdents64\(\d+<{done}[>/]", line)], [])
        self.assertEqual([line for line in lines if "finished-" in line], [])
        # Whether an id is free is asked by its name.
        asked = [line for line in lines if re.search(rf"\(\d+<{done}>, \"[^\"]", line)]
        self.assertEqual([line for line in asked if '"new"' not in line and '"first"' not in line], [])
        self.assertTrue(asked)


if __name__ == "__main__":
    house.main()
