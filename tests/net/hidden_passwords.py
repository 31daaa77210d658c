#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Passwords are in the file that `save` writes, and nowhere else one can look."""
import os
import stat

from harness import LabTest, main

AUTH, ENCRYPT = "725dCaIgDL", "Wi Joaw4177"


class HiddenPasswords(LabTest):
    def assert_hidden(self, text, where):
        for secret in (AUTH, ENCRYPT):
            self.assertNotIn(secret, text, where)

    def test_only_the_saved_file_tells_them(self):
        gateway = self.lab["gwA"]
        gateway.start()
        self.lab.wait_master("gwA")
        for words in (["auth", "password", AUTH], ["encrypt", "password", ENCRYPT]):
            self.command("gwA", ["set", "nsrp", *words])
            done = gateway.cli(["set", "nsrp", *words, words[-1]])  # a word too many
            self.assertEqual(done.returncode, 1)
            self.assert_hidden(done.stdout + done.stderr, "a refusal")
        shown = self.command("gwA", "get config")
        self.assertIn("set nsrp auth password ***\nset nsrp encrypt password ***\n", shown)
        for words in ("get config", "get nsrp", "get event", "get system"):
            self.assert_hidden(self.command("gwA", words) + gateway.cli(words, as_json=True).stdout, words)
        self.command("gwA", "save")
        self.assert_hidden(gateway.log_tail(1000), "the log")
        for folder, _, names in os.walk(gateway.run_dir):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        self.assert_hidden(file.read(), path)
        with open(gateway.config_file, encoding="utf-8") as config:
            saved = config.read()
        self.assertIn(f'set nsrp auth password {AUTH}\nset nsrp encrypt password "{ENCRYPT}"\n', saved)
        self.assertEqual(stat.S_IMODE(os.stat(gateway.config_file).st_mode), 0o600)
        self.command("gwA", "reset")  # what was saved can be read again
        self.assertIn("set nsrp encrypt password ***", self.command("gwA", "get config"))
        self.command("gwA", "unset nsrp auth password")
        self.command("gwA", "unset nsrp encrypt password")
        self.assertNotIn("password", self.command("gwA", "get config"))

    def test_reports_fit_a_terminal(self):
        self.start_pair()
        for words in ("get nsrp", "get nsrp ha-link", "get nsrp cluster", "get nsrp vsd-group"):
            for line in self.command("gwA", words).splitlines():
                self.assertLessEqual(len(line), 100, line)


if __name__ == "__main__":
    main()
