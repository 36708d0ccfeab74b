package audit

import (
	_ "embed"
)

//go:embed schema/event.v1.json
var eventSchema []byte

// Schema is the JSON Schema (2020-12) of a leaf, version 1; its $defs/line is a
// line of an export's events.jsonl. Version 1 only grows: a leaf that was valid
// stays valid.
func Schema() []byte { return eventSchema }
