import pytest
from sqlalchemy import Table

from registry.store.bulk import Bulk
from registry.store.compiled import insert, sql, upsert
from registry.store.tables.revisions import CHANGES, DOCUMENT_HISTORY, DOCUMENTS, INSTANCES


@pytest.mark.parametrize("table", [CHANGES, DOCUMENTS, DOCUMENT_HISTORY, INSTANCES], ids=lambda table: table.name)
@pytest.mark.parametrize("build", [insert, upsert])
def test_a_block_reads_as_sqlalchemy_writes_it(table: Table, build: type) -> None:
    for rows in (1, 8):
        assert Bulk(table, build).text(rows) == sql(build(table, rows))
