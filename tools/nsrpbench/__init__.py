# SPDX-License-Identifier: Apache-2.0
"""What benches share: the systems under test, the traffic that judges them, tables."""
