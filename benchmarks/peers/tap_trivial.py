"""A tap that costs nothing: one stream, one record."""

import sys

SCHEMA = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
if "--discover" in sys.argv:
    entry = '{"breadcrumb": [], "metadata": {"selected": true}}'
    print(
        f'{{"streams": [{{"tap_stream_id": "one", "stream": "one", "schema": {SCHEMA}, "metadata": [{entry}]}}]}}'
    )
else:
    print(f'{{"type": "SCHEMA", "stream": "one", "schema": {SCHEMA}, "key_properties": ["id"]}}')
    print('{"type": "RECORD", "stream": "one", "record": {"id": 1}}')
    print('{"type": "STATE", "value": {"bookmarks": {"one": {}}}}')
