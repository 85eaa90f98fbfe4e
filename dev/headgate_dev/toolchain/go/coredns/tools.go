//go:build tools

// Package tools keeps CoreDNS in go.mod: pods of the real node resolve Service names with it.
package tools

import _ "github.com/coredns/coredns"
