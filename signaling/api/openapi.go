package api

import _ "embed"

// OpenAPI describes the JSON interface, version 3.1.
//
//go:embed openapi.yaml
var OpenAPI []byte
