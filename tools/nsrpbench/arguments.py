# SPDX-License-Identifier: Apache-2.0
"""Kinds of words on a bench's command line."""
import argparse


def words_of(known):
    """A list with commas between, of these words only."""
    def parse(text):
        words = text.split(",")
        if unknown := [word for word in words if word not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return words
    return parse
