"""Maps streams with the Meltano SDK: one case a line in, what it makes of it out."""

import json
import logging
import sys

from singer_sdk.mapper import PluginMapper, RemoveRecordTransform
from singer_sdk.singerlib.json import deserialize_json, serialize_json


def mapped(case):
    mapper = PluginMapper(plugin_config=case["config"], logger=logging.getLogger())
    streams = {}
    for message in case["messages"]:
        name = message["stream"]
        if message["type"] == "SCHEMA":
            mapper.register_raw_stream_schema(
                name, message["schema"], message["key_properties"]
            )
        for stream_map in mapper.stream_maps[name]:
            if isinstance(stream_map, RemoveRecordTransform):
                continue
            made = streams.setdefault(
                stream_map.stream_alias,
                {
                    "schema": stream_map.transformed_schema,
                    "key_properties": stream_map.transformed_key_properties,
                    "records": [],
                },
            )
            if message["type"] == "RECORD":
                record = stream_map.transform(dict(message["record"]))
                if record is not None:
                    made["records"].append(record)
    return streams


for line in sys.stdin:
    try:
        result = {"streams": mapped(deserialize_json(line))}
    except Exception as error:  # what is raised is the result
        result = {"error": f"{type(error).__name__}: {error}"}
    print(serialize_json(result))
