"""A MongoDB-wire server for tests, which takes what they give to mongod. Keeps everything in memory.

It is nx-27017, which answers from SQLite. What real MongoDB has and this has not: passwords, TLS, replica
sets, change streams, and a TTL index that removes anything.
"""

import argparse
import logging
import sys
from pathlib import Path

from neosqlite.collection.query_helper import set_force_fallback
from neosqlite.collection.sql_translator_unified import SQLClauseBuilder, SQLOperatorTranslator
from nx_27017 import nx_27017


def mend_or():
    """Puts brackets around `$or`.

    neosqlite 1.17.2 writes `{_id: x, $or: [a, b]}` as `_id = x AND a OR b`, which finds every document
    for which b holds: with connect-mongo's own query, another user's session.
    """
    build = SQLClauseBuilder._build_logical_condition

    def bracketed(self, *args, **kwargs):
        sql, params = build(self, *args, **kwargs)
        return (f"({sql})" if sql else sql), params

    SQLClauseBuilder._build_logical_condition = bracketed


def mend_dates():
    """Compares dates to the millisecond: neosqlite's `datetime(…)` knows whole seconds only."""
    translate = SQLOperatorTranslator.translate_operator

    def exact(self, *args, **kwargs):
        sql, params = translate(self, *args, **kwargs)
        return (sql and sql.replace("datetime(", "strftime('%Y-%m-%d %H:%M:%f', ")), params

    SQLOperatorTranslator.translate_operator = exact


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", required=True)
    parser.add_argument("--bind_ip", default="127.0.0.1")
    parser.add_argument("--dbpath", type=Path, required=True)
    args = parser.parse_args()

    mend_or()
    mend_dates()
    # Its updates in SQL turn a date that they set into a text; those in Python keep it.
    set_force_fallback(True)
    # As mongod does, it says on stdout that it listens.
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    sys.argv = ["nx-27017", "--db", "memory", "--host", args.bind_ip, "--port", args.port]
    sys.argv += ["--log-file", str(args.dbpath / "log"), "--pid-file", str(args.dbpath / "pid")]
    nx_27017.main()


if __name__ == "__main__":
    main()
