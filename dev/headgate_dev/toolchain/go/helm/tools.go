//go:build tools

// Package tools keeps helm in go.mod: the development cluster installs the chart with the real thing.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
